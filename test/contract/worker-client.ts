import { fileURLToPath } from 'node:url';
import { credentials, loadPackageDefinition, type ClientDuplexStream, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { withChecksums } from '@expertmesh/test-kit/checksummed-definition';

/*
 * A worker as any gRPC program sees it: clients made at run time from proto/, with none of the project's own
 * serializers but for the checksum.
 */

const PROTO_DIR = fileURLToPath(new URL('../../proto', import.meta.url));
const DEADLINE_MS = 20_000;
const CHANNEL_OPTIONS = {
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  // Two clients of one test stand for two coordinators, which share no connection.
  'grpc.use_local_subchannel_pool': 1,
};

const definition = loadSync(
  ['expertmesh/v1/expert.proto', 'expertmesh/v1/worker.proto', 'grpc/health/v1/health.proto'],
  { includeDirs: [PROTO_DIR], longs: Number, enums: String, defaults: true },
);
const packages = loadPackageDefinition(withChecksums(definition));

export interface DispatchRequest {
  readonly callId: number;
  readonly layerIndex: number;
  readonly placementVersion: number;
  readonly storeId?: Uint8Array;
  readonly numRows: number;
  readonly hiddenSize: number;
  readonly rowDtype: string;
  readonly rowOffsets: readonly number[];
  readonly expertIds: readonly number[];
  readonly routingWeights: readonly number[];
  readonly rows: Buffer;
}

export interface DispatchResponse {
  readonly callId: number;
  readonly layerIndex: number;
  readonly placementVersion: number;
  readonly numRows: number;
  readonly hiddenSize: number;
  readonly rowDtype: string;
  readonly numPairs: number;
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly missingExpertIds: readonly number[];
  } | null;
  readonly queueUs: number;
  readonly computeUs: number;
  readonly numCallsTogether: number;
  readonly rows: Buffer;
}

export interface LayerShard {
  readonly layerIndex: number;
  readonly expertIds: readonly number[];
}

export interface AssignRequest {
  readonly placementVersion: number;
  readonly storeId: string;
  readonly shards: readonly LayerShard[];
  /** 0 where absent. */
  readonly epoch?: number;
}

/** The fields that the tests look at. */
export interface Stats {
  readonly bootId: string;
  readonly storeId: string;
  readonly state: string;
  readonly dataPort: number;
  readonly placementVersion: number;
  readonly memoryBudgetBytes: number;
  readonly packedBytes: number;
  readonly residentBytes: number;
  readonly numExpertsLoaded: number;
  readonly numCalls: number;
  readonly numFailedCalls: number;
  readonly numPairs: number;
  readonly numRuns: number;
  readonly computeUs: number;
  readonly numQueuedCalls: number;
  readonly uptimeMs: number;
  readonly epoch: number;
  readonly shards: readonly LayerShard[];
  readonly scrubbedBytes: number;
  readonly numDamagedExperts: number;
  readonly numWithdrawnExperts: number;
  readonly lastDamage: string;
  readonly capacity: {
    readonly provider: string;
    readonly numCores: number;
    readonly memoryBytesPerSecond: number;
    readonly secondsPerActiveExpert: number;
    readonly secondsPerToken: number;
    readonly failureDomain: string;
    readonly expertMemoryBytes: number;
  };
}

export interface LoadProgress {
  readonly loadedBytes: number;
  readonly totalBytes: number;
  readonly loadedLayers: number;
  readonly totalLayers: number;
}

type Unary = (request: object, options: object, done: (error: ServiceError | null, response: unknown) => void) => void;
type ServerStream = (request: object, options: object) => AsyncIterable<unknown> & { cancel(): void };
type Bidi = () => ClientDuplexStream<DispatchRequest, DispatchResponse>;
type DynamicClient = Readonly<Record<string, unknown>> & { close(): void };
type DynamicClientType = new (address: string, creds: unknown, options: object) => DynamicClient;

interface WorkerPorts {
  readonly dataPort: number;
  readonly controlPort: number;
  readonly storeId: string;
}

/** Both ports of one worker. */
export class WorkerClient {
  readonly #worker: DynamicClient;
  readonly #health: DynamicClient;
  readonly #expert: DynamicClient;
  readonly #storeId: Buffer;

  /** @param storeId of the store that calls name, where they name none themselves */
  constructor({ dataPort, controlPort, storeId }: WorkerPorts) {
    this.#storeId = Buffer.from(storeId, 'hex').subarray(0, 8);
    this.#worker = open('expertmesh.v1.WorkerService', controlPort);
    this.#health = open('grpc.health.v1.Health', controlPort);
    this.#expert = open('expertmesh.v1.ExpertService', dataPort);
  }

  assign(request: AssignRequest): Promise<{ readonly packedBytes: number; readonly memoryBytes: number }> {
    return unary(this.#worker, 'assign', request);
  }

  /** All messages of the progress stream. */
  async load(placementVersion: number, epoch = 0, sources: readonly string[] = []): Promise<LoadProgress[]> {
    const load = (this.#worker['load'] as ServerStream).bind(this.#worker);
    const messages: LoadProgress[] = [];
    for await (const message of load({ placementVersion, epoch, sources }, deadline()))
      messages.push(message as LoadProgress);
    return messages;
  }

  unload(epoch = 0): Promise<unknown> {
    return unary(this.#worker, 'unload', { epoch });
  }

  stats(): Promise<Stats> {
    return unary(this.#worker, 'getStats', {});
  }

  drain(timeoutMs: number): Promise<{ readonly numFailedCalls: number }> {
    return unary(this.#worker, 'drain', { timeoutMs });
  }

  async health(service = ''): Promise<string> {
    const { status } = await unary<{ readonly status: string }>(this.#health, 'check', { service });
    return status;
  }

  dispatch(): DispatchStream {
    const begin = (this.#expert['dispatch'] as Bidi).bind(this.#expert);
    return new DispatchStream(begin(), this.#storeId);
  }

  close(): void {
    for (const client of [this.#worker, this.#health, this.#expert]) client.close();
  }
}

/** A Dispatch stream whose answers are matched with their calls. */
export class DispatchStream {
  readonly #stream: ClientDuplexStream<DispatchRequest, DispatchResponse>;
  readonly #waiting = new Map<number, PromiseWithResolversOf<DispatchResponse>>();
  /** Resolves when the worker has ended the stream, with the status that it gave. */
  readonly ended: Promise<{ readonly code: number; readonly details: string }>;
  readonly #storeId: Buffer;
  #numCalls = 0;

  constructor(stream: ClientDuplexStream<DispatchRequest, DispatchResponse>, storeId: Buffer) {
    this.#stream = stream;
    this.#storeId = storeId;
    stream.on('data', (answer: DispatchResponse) => {
      this.#waiting.get(answer.callId)?.resolve(answer);
      this.#waiting.delete(answer.callId);
    });
    // The status says it all, and comes in either case.
    stream.on('error', () => undefined);
    this.ended = new Promise((resolve) => {
      stream.on('status', (status) => {
        for (const { reject } of this.#waiting.values()) reject(new Error(`the stream ended: ${status.details}`));
        resolve(status);
      });
    });
  }

  call(request: Omit<DispatchRequest, 'callId'>): Promise<DispatchResponse> {
    const callId = (this.#numCalls += 1);
    return new Promise((resolve, reject) => {
      this.#waiting.set(callId, { resolve, reject });
      this.#stream.write({ callId, storeId: this.#storeId, ...request });
    });
  }

  end(): void {
    this.#stream.end();
  }

  cancel(): void {
    this.#stream.cancel();
  }
}

interface PromiseWithResolversOf<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

function open(serviceName: string, port: number): DynamicClient {
  const Client = serviceName
    .split('.')
    .reduce<unknown>((scope, name) => (scope as Record<string, unknown>)[name], packages);
  return new (Client as DynamicClientType)(`127.0.0.1:${String(port)}`, credentials.createInsecure(), CHANNEL_OPTIONS);
}

const deadline = () => ({ deadline: Date.now() + DEADLINE_MS });

function unary<Response>(client: DynamicClient, method: string, request: object): Promise<Response> {
  const invoke = (client[method] as Unary).bind(client);
  return new Promise((resolve, reject) => {
    invoke(request, deadline(), (error, response) => {
      if (error === null) resolve(response as Response);
      else reject(error);
    });
  });
}
