import { type ChannelCredentials, Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { MAX_MESSAGE_BYTES } from '../limits/limits.js';
import { type Role } from '../transport-security/mesh-identity.js';
import { type TransportSecurity } from '../transport-security/transport-security.js';
import { answerDeadline } from './answer-deadline.js';
import { type Clock, systemClock } from './clock.js';
import { type ServerStreamMethod, type UnaryMethod } from './service-definition.js';
import { fromServiceError } from './status.js';
import { MeshChannelCredentials } from './tls-credentials.js';

const CHANNEL_OPTIONS = {
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  // Without keepalive a peer whose machine vanished is noticed only by TCP, after minutes. The timeout is long because
  // a thread that computes does not answer pings.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 20_000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
  // A channel that hangs while connecting is cured by another one, but only if that does not share its connection.
  'grpc.use_local_subchannel_pool': 1,
  // Retries belong to the callers, who know what may be sent twice; grpc-js would keep a copy of what it has sent.
  'grpc.enable_retries': 0,
  // Peers of a cluster are reached directly, whatever http_proxy says, and have no service config in DNS.
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
};

export interface CallOptions {
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  /** Headers of the call, for its handler. */
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface StreamOptions extends CallOptions {
  /** Counts `deadlineMs` anew for each message, instead of for the whole stream. */
  readonly isPerMessage?: boolean;
}

/** How a client speaks TLS, and what the certificate of the other side must be for. */
export interface SecureTo {
  readonly security: TransportSecurity | undefined;
  readonly serverRoles: readonly Role[];
}

/**
 * One gRPC channel to one address, with the calls of a service definition typed; the data plane has grpc-stream/
 * instead. A channel can hang while it connects; so every call has a timer of its own here, and whoever keeps a client
 * replaces it after a failure.
 */
export class RpcClient {
  readonly #client: Client;
  readonly #peer: string;
  readonly #clock: Clock;
  readonly #headers: Readonly<Record<string, string>>;
  #isClosed = false;

  /**
   * @param peer how errors name the other side, for example `worker 10.0.0.7:9101`
   * @param headers of every call
   * @param secure absent, or without `security`, for plain text
   */
  constructor(
    address: string,
    peer: string,
    clock: Clock = systemClock,
    headers: Readonly<Record<string, string>> = {},
    secure?: SecureTo,
  ) {
    this.#client = new Client(address, channelCredentials(secure), CHANNEL_OPTIONS);
    this.#peer = peer;
    this.#clock = clock;
    this.#headers = headers;
  }

  /** @throws ExpertmeshError: the peer's own, `deadline_exceeded`, `cancelled` after an abort, or `unavailable`. */
  async unary<Request, Response>(
    method: UnaryMethod<Request, Response>,
    request: Request,
    { deadlineMs, signal, metadata }: CallOptions,
  ): Promise<Response> {
    this.#requireOpen();
    return new Promise((resolve, reject) => {
      const guard = this.#guard(method.path, deadlineMs, signal, () => {
        call.cancel();
      });
      const call = this.#client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        toMetadata({ ...this.#headers, ...metadata }),
        (error: ServiceError | null, response?: Response) => {
          guard.end();
          if (error !== null || response === undefined) reject(guard.translate(error));
          else resolve(response);
        },
      );
      if (signal.aborted) call.cancel();
    });
  }

  /** Leaving the loop ends the call. Errors as for `unary`. */
  async *serverStream<Request, Response>(
    method: ServerStreamMethod<Request, Response>,
    request: Request,
    { deadlineMs, signal, metadata, isPerMessage = false }: StreamOptions,
  ): AsyncGenerator<Response, void, undefined> {
    this.#requireOpen();
    const call = this.#client.makeServerStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      toMetadata({ ...this.#headers, ...metadata }),
    );
    const guard = this.#guard(method.path, deadlineMs, signal, () => {
      call.cancel();
    });
    // The loop below sees errors; this one is for the cancellation after it, which nobody awaits.
    call.on('error', () => undefined);
    if (signal.aborted) call.cancel();
    try {
      for await (const message of call) {
        // The reader's own time is not the peer's.
        if (isPerMessage) guard.pause();
        yield message as Response;
        if (isPerMessage) guard.restart();
      }
    } catch (thrown) {
      throw guard.translate(thrown);
    } finally {
      guard.end();
      call.cancel();
    }
  }

  /** Ends the channel. Calls that run go on to their end. */
  close(): void {
    this.#isClosed = true;
    this.#client.close();
  }

  #requireOpen(): void {
    if (this.#isClosed) throw this.#closedError();
  }

  #closedError(): ExpertmeshError {
    return new ExpertmeshError('unavailable', `${this.#peer}: the connection has been closed`);
  }

  // Cancels the call at its deadline or when the caller gives up, and says afterwards which of them it was.
  #guard(path: string, deadlineMs: number, signal: AbortSignal, cancel: () => void) {
    let isLate = false;
    const wait = (): (() => void) =>
      answerDeadline(this.#clock, deadlineMs, () => {
        isLate = true;
        cancel();
      });
    let answered = wait();
    const pause = (): void => {
      answered();
    };
    const restart = (): void => {
      answered = wait();
    };
    signal.addEventListener('abort', cancel, { once: true });
    const end = (): void => {
      pause();
      signal.removeEventListener('abort', cancel);
    };
    const translate = (thrown: unknown): ExpertmeshError => {
      if (signal.aborted) return new ExpertmeshError('cancelled', `${this.#peer}: ${path} was cancelled`);
      if (!isLate) return fromServiceError(thrown, this.#peer);
      const message = `${this.#peer} did not answer ${path} within ${String(deadlineMs)} ms`;
      return new ExpertmeshError('deadline_exceeded', message);
    };
    return { pause, restart, end, translate };
  }
}

function channelCredentials(secure: SecureTo | undefined): ChannelCredentials {
  if (secure?.security === undefined) return credentials.createInsecure();
  return new MeshChannelCredentials(secure.security, secure.serverRoles);
}

function toMetadata(headers: Readonly<Record<string, string>>): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return metadata;
}

/** The headers by which a call shows its key; none where there is none. */
export function keyHeaders(key: string | undefined): Readonly<Record<string, string>> {
  return key === undefined ? {} : { authorization: `Bearer ${key}` };
}
