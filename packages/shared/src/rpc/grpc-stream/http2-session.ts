import { constants, type Http2Session, type Settings } from 'node:http2';
import { type TLSSocket } from 'node:tls';
import { MAX_MESSAGE_BYTES } from '../../limits/limits.js';
import { type TransportSecurity } from '../../transport-security/transport-security.js';

/** HTTP/2 paths of gRPC methods. */
export interface StreamMethod {
  readonly path: string;
}

/** Bytes that a peer may send ahead; the 64 KiB default would stop a large message once every round trip. */
const STREAM_WINDOW_BYTES = 4 * 1024 * 1024;
const CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024;
/** Longer frames than the 16 KiB default cost fewer calls. */
const FRAME_BYTES = 1024 * 1024;

export const SESSION_SETTINGS: Settings = {
  enablePush: false,
  initialWindowSize: STREAM_WINDOW_BYTES,
  maxFrameSize: FRAME_BYTES,
};

/**
 * Node refuses streams of a session that has more than this to send; what waits here is bounded by the calls in flight.
 */
export const MAX_SESSION_MEBIBYTES = (16 * MAX_MESSAGE_BYTES) / 2 ** 20;

/** Ends the session, with an error, when the certificate of its other side is revoked. */
export function guardSession(session: Http2Session, security: TransportSecurity): void {
  if (session.destroyed) return;
  const end = (reason: Error): void => {
    session.destroy(reason, constants.NGHTTP2_NO_ERROR);
  };
  session.once('close', security.guard(peerCertificate(session), end));
}

/** Undefined where the other side has shown none. */
export function peerCertificate({ socket }: Pick<Http2Session, 'socket'>): Buffer | undefined {
  // It is a proxy, which knows its members when they are asked for.
  return (socket as Partial<TLSSocket>).getPeerCertificate?.().raw;
}

const PING_INTERVAL_MS = 10_000;
/** Long, because a thread that computes does not answer pings. */
const PING_TIMEOUT_MS = 20_000;

/**
 * Widens the connection's window, and destroys the session when its peer does not answer pings: without them a peer
 * whose machine vanished is noticed only by TCP, after minutes. Call it once the session is connected.
 */
export function superviseSession(session: Http2Session): void {
  // A thread that computes comes to hear of events late, and may have destroyed the session before.
  if (session.destroyed) return;
  session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
  let askedAtMs: number | undefined;
  const destroyIfSilent = (): void => {
    if (askedAtMs !== undefined) session.destroy(new Error('no answer to a ping'), constants.NGHTTP2_NO_ERROR);
  };
  const ping = setInterval(() => {
    if (session.destroyed) return;
    if (askedAtMs === undefined) {
      askedAtMs = performance.now();
      session.ping(() => (askedAtMs = undefined));
    } else if (performance.now() - askedAtMs >= PING_TIMEOUT_MS)
      // Timers run before sockets are read: after a long computation the answer may lie there.
      setImmediate(destroyIfSilent);
  }, PING_INTERVAL_MS);
  ping.unref();
  session.once('close', () => {
    clearInterval(ping);
  });
}
