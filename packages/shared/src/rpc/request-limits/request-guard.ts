import { constants, type Http2Session, type ServerHttp2Stream } from 'node:http2';
import { ServerInterceptingCall, type ServerInterceptingCallInterface, type ServerInterceptor } from '@grpc/grpc-js';
import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { PARTIAL_TIMEOUT_MS } from '../../limits/limits.js';
import { hasRole } from '../../transport-security/tls-ends.js';
import { type TransportSecurity } from '../../transport-security/transport-security.js';
import { guardSession } from '../grpc-stream/http2-session.js';
import { toServiceError } from '../status.js';
import { maxRequestBytes } from './method-sizes.js';
import { RequestFrames } from './request-frames.js';
import { UnfinishedCalls, type UnfinishedCall } from './unfinished-calls.js';

type Method = Parameters<ServerInterceptor>[0];

/**
 * Holds the calls of a port to what their methods need: the size of a message, memory of those that are unfinished, and
 * a time to come whole in; for each message, where there may be several. It looks at the bytes before grpc-js keeps any
 * of them. A connection that has made a call is closed when its certificate is revoked.
 */
export function requestGuard(
  security: TransportSecurity | undefined,
  timeoutMs: number = PARTIAL_TIMEOUT_MS,
): ServerInterceptor {
  const unfinished = new UnfinishedCalls();
  const guarded = new WeakSet<Http2Session>();
  return (method, call) => {
    const stream = streamOf(call);
    const { session } = stream;
    if (security !== undefined && session !== undefined && !guarded.has(session)) {
      guarded.add(session);
      guardSession(session, security);
    }
    const fail = (reason: ExpertmeshError): void => {
      call.sendStatus(toServiceError(reason));
      // What is left of the request is not waited for.
      stream.once('finish', () => {
        stream.close(constants.NGHTTP2_NO_ERROR);
      });
    };
    const held = { connection: connectionOf(call, security), fail };
    const timer = endWhenSlow(stream, () => fail(tooSlow(method, timeoutMs)), timeoutMs);
    guardBytes(stream, method, held, unfinished, timer);
    return new ServerInterceptingCall(call);
  };
}

function guardBytes(
  stream: ServerHttp2Stream,
  { path, requestStream }: Method,
  held: UnfinishedCall,
  unfinished: UnfinishedCalls,
  timer: NodeJS.Timeout,
): void {
  let numMessages = 0;
  const frames = new RequestFrames((sizeBytes, isCompressed) => {
    numMessages += 1;
    requireAllowed(path, sizeBytes, isCompressed);
    if (numMessages > 1 && !requestStream)
      throw new ExpertmeshError('invalid_argument', `${path} takes one message, and another has come: send one`);
  });
  const end = (): void => {
    unfinished.end(held);
  };
  stream.prependListener('data', (chunk: Buffer) => {
    try {
      frames.push(chunk);
      if (frames.isInMessage) unfinished.take(held, chunk.byteLength);
      else {
        end();
        if (requestStream) timer.refresh();
      }
    } catch (thrown) {
      end();
      held.fail(ExpertmeshError.from(thrown));
    }
  });
  stream.once('close', end);
}

function endWhenSlow(stream: ServerHttp2Stream, fail: () => void, timeoutMs: number): NodeJS.Timeout {
  const timer = setTimeout(fail, timeoutMs).unref();
  const stop = (): void => {
    clearTimeout(timer);
  };
  stream.once('end', stop).once('close', stop);
  return timer;
}

/** @throws ExpertmeshError for a message that is too large, or compressed. */
function requireAllowed(path: string, sizeBytes: number, isCompressed: boolean): void {
  const maxBytes = maxRequestBytes(path);
  if (sizeBytes > maxBytes)
    throw new ExpertmeshError(
      'resource_exhausted',
      `a message of ${String(sizeBytes)} bytes came, and ${path} takes at most ${String(maxBytes)}: send less`,
    );
  if (isCompressed) throw new ExpertmeshError('unimplemented', `${path} came compressed: send it as it is`);
}

function connectionOf(
  call: ServerInterceptingCallInterface,
  security: TransportSecurity | undefined,
): UnfinishedCall['connection'] {
  const certificate = call.getAuthContext().sslPeerCertificate?.raw;
  const isTrusted = (['coordinator', 'admin'] as const).some((role) => hasRole(certificate, role, security));
  return { address: call.getConnectionInfo().remoteAddress ?? '', peer: call.getPeer(), isTrusted };
}

/** grpc-js has the stream of a call as a private member, and shows its bytes nowhere else. */
function streamOf(call: ServerInterceptingCallInterface): ServerHttp2Stream {
  const { stream } = call as unknown as { readonly stream?: ServerHttp2Stream };
  if (stream !== undefined) return stream;
  throw new ExpertmeshError(
    'internal',
    'this grpc-js hides the streams of its calls: install that of package-lock.json',
  );
}

function tooSlow({ path, requestStream }: Method, timeoutMs: number): ExpertmeshError {
  const within = `${String(timeoutMs / 1000)} s`;
  const what = requestStream
    ? `no whole message of ${path} came for ${within}: call it again`
    : `the request of ${path} was not complete after ${within}: send it faster`;
  return new ExpertmeshError('deadline_exceeded', what);
}
