import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { keyHeaders, RpcClient } from '@expertmesh/shared/rpc/client';
import { systemClock } from '@expertmesh/shared/rpc/clock';
import { type ServerStreamMethod, type UnaryMethod } from '@expertmesh/shared/rpc/service-definition';
import { type TransportSecurity } from '@expertmesh/shared/transport-security/transport-security';

/** For one answer. */
const ANSWER_MS = 10_000;
/** For each message of a stream: coordinators say something every 5 s, however slow a change is. */
const MESSAGE_MS = 60_000;

/** Calls of one command to one coordinator. All end when `signal` aborts. */
export class AdminClient {
  readonly address: string;
  readonly signal: AbortSignal;
  readonly #rpc: RpcClient;
  readonly #security: TransportSecurity | undefined;

  constructor(address: string, signal: AbortSignal, adminKey?: string, security?: TransportSecurity) {
    this.address = address;
    this.signal = signal;
    this.#security = security;
    const secure = { security, serverRoles: ['coordinator'] } as const;
    this.#rpc = new RpcClient(address, `coordinator ${address}`, systemClock, keyHeaders(adminKey), secure);
  }

  /** @param extraMs beyond what an answer may take: the time that a plan was given. */
  async unary<Request, Response>(
    method: UnaryMethod<Request, Response>,
    request: Request,
    extraMs = 0,
  ): Promise<Response> {
    try {
      return await this.#rpc.unary(method, request, { deadlineMs: ANSWER_MS + extraMs, signal: this.signal });
    } catch (thrown) {
      throw withRemedy(thrown);
    }
  }

  /** Asks a worker itself, on its control port. */
  async ofWorker<Request, Response>(
    address: string,
    method: UnaryMethod<Request, Response>,
    request: Request,
  ): Promise<Response> {
    const secure = { security: this.#security, serverRoles: ['worker'] } as const;
    const rpc = new RpcClient(address, `worker ${address}`, systemClock, {}, secure);
    try {
      return await rpc.unary(method, request, { deadlineMs: ANSWER_MS, signal: this.signal });
    } finally {
      rpc.close();
    }
  }

  async *stream<Request, Response>(
    method: ServerStreamMethod<Request, Response>,
    request: Request,
    extraMs = 0,
  ): AsyncGenerator<Response, void, undefined> {
    const options = { deadlineMs: MESSAGE_MS + extraMs, signal: this.signal, isPerMessage: true };
    try {
      yield* this.#rpc.serverStream(method, request, options);
    } catch (thrown) {
      throw withRemedy(thrown);
    }
  }

  close(): void {
    this.#rpc.close();
  }
}

function withRemedy(thrown: unknown): ExpertmeshError {
  const error = ExpertmeshError.from(thrown);
  const remedy = REMEDIES.find(({ pattern }) => pattern.test(error.message))?.remedy;
  if (remedy === undefined) return error;
  return new ExpertmeshError(error.code, `${error.message}: ${remedy}`, { cause: error.cause });
}

const REMEDIES = [
  { pattern: /admin key/, remedy: '--admin-key or EXPERTMESH_ADMIN_KEY is where the commands have it from' },
  {
    pattern: /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ETIMEDOUT/,
    remedy: 'is a coordinator running there? --coordinator or EXPERTMESH_COORDINATOR names another (its gRPC port)',
  },
  {
    pattern:
      /Failed to connect|Connection dropped|ECONNRESET|socket hang up|TLS handshake|wrong version number|certificate|alert/,
    remedy:
      'does it speak TLS? --tls-ca, --tls-cert and --tls-key are what the commands speak it with, and without them ' +
      'they speak plain text (docs/security.md)',
  },
  {
    pattern: /Protocol error|does not implement|Received HTTP status code|PROTOCOL_ERROR/,
    remedy: 'this is not the gRPC port of a coordinator, which is 9000 unless --grpc-port says otherwise',
  },
] as const;
