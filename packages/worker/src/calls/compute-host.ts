import { createComputeBackend } from '@expertmesh/compute/compute-backend';
import { accelerateChecksums } from '@expertmesh/compute/accelerate-checksums';
import { maxPairsPerRun } from '@expertmesh/compute/experts/onnx-layer-runner';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { packedBytesOf, shardBlobPaths } from '@expertmesh/shared/expert-store/shard-blobs';
import { openExpertStore, type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { BlobVerification } from '@expertmesh/shared/expert-store/verification/blob-verification';
import { MAX_QUEUED_BYTES, MAX_QUEUED_CALLS } from '@expertmesh/shared/limits/limits';
import { createLogger, type Logger } from '@expertmesh/shared/process/logger';
import { storeIdOfCalls } from '@expertmesh/shared/rpc/dispatch-message';
import { startGrpcStreamServer } from '@expertmesh/shared/rpc/grpc-stream/grpc-stream-server';
import { type RpcServer } from '@expertmesh/shared/rpc/server';
import { expertService } from '@expertmesh/shared/rpc/services';
import { TransportSecurity } from '@expertmesh/shared/transport-security/transport-security';
import { type ThreadService } from '@expertmesh/shared/threads/serve-thread';
import { type Assignment } from '../shards/assignment.js';
import { createLayerLoader } from '../shards/layer-loader.js';
import { ShardHost } from '../shards/shard-host.js';
import { CallExecutor } from './call-executor.js';
import { type OnProgress } from './compute-client.js';
import { type ComputeContract, type ComputeThreadOptions } from './compute-contract.js';
import { ExpertService } from './expert-service.js';
import { WorkerCounters } from './worker-counters.js';

/** How long ended streams may take to reach their peers before their connections are closed. */
const CLOSE_TIMEOUT_MS = 500;

/** Opens the data port, and serves what the main thread asks for; shards are loaded when it says which. */
export async function openCompute(options: ComputeThreadOptions): Promise<ThreadService<ComputeContract>> {
  accelerateChecksums();
  const logger = createLogger({ name: 'worker-compute', level: options.logLevel });
  const store = await openExpertStore(options.storeDir);
  const shardHost = openShardHost(store, options);
  const executor = openExecutor(store, shardHost, options);
  const service = new ExpertService(executor);
  const server = await openDataPort(service, options, logger);
  return {
    ready: { dataPort: server.port },
    requests: {
      load: (assignment, { progress, signal }) =>
        logged(logger, 'load', loadShard(shardHost, assignment, progress, signal, logger)),
      withdraw: ({ layerIndex, expertId }) => {
        shardHost.withdraw(layerIndex, expertId);
        executor.refuseWithdrawn();
        return Promise.resolve();
      },
      unload: () => logged(logger, 'unload', shardHost.unload()),
      drain: (_, { signal }) => logged(logger, 'drain', executor.drain(signal)),
      closePort: () => logged(logger, 'close', closePort(service, server)),
    },
    messages: {},
  };
}

function openShardHost(store: ExpertStore, { provider, numThreads, isa, verify }: ComputeThreadOptions): ShardHost {
  return new ShardHost({
    storeId: storeIdOfCalls(store.storeId),
    hiddenSize: store.spec.hiddenSize,
    loadLayer: createLayerLoader(
      store,
      createComputeBackend(provider, store.quantisation, numThreads, { isBlocking: true, isa }),
    ),
    packedBytesOf: (shard) => packedBytesOf(store, shard),
    verify: (shards, signal) => new BlobVerification(store, shards.flatMap(shardBlobPaths), verify, signal),
  });
}

function openExecutor(store: ExpertStore, shardHost: ShardHost, { counters }: ComputeThreadOptions): CallExecutor {
  return new CallExecutor({
    served: () => shardHost.served,
    counters: new WorkerCounters(counters),
    topK: store.spec.topK,
    queueBounds: { maxCalls: MAX_QUEUED_CALLS, maxBytes: MAX_QUEUED_BYTES },
    maxBatchRows: maxPairsPerRun(store.spec.hiddenSize),
  });
}

function openDataPort(
  service: ExpertService,
  { host, port, tls }: ComputeThreadOptions,
  logger: Logger,
): Promise<RpcServer> {
  return startGrpcStreamServer({
    host,
    port,
    portFlag: '--port',
    method: expertService.dispatch,
    accept: service.accept,
    // The main thread tells what becomes of the files.
    security: tls && new TransportSecurity(tls, undefined),
    onError: (error) => {
      logger.error({ err: error }, 'the data port cannot accept a connection');
    },
  });
}

async function loadShard(
  shardHost: ShardHost,
  assignment: Assignment,
  onProgress: OnProgress,
  signal: AbortSignal,
  logger: Logger,
): Promise<void> {
  const startMs = performance.now();
  await shardHost.load(assignment, onProgress, signal);
  const { placementVersion, shards } = assignment;
  logger.info(
    { placementVersion, numLayers: shards.length, loadMs: Math.round(performance.now() - startMs) },
    'serving',
  );
}

async function closePort(service: ExpertService, server: RpcServer): Promise<void> {
  service.endStreams();
  await server.close(CLOSE_TIMEOUT_MS);
}

async function logged<T>(logger: Logger, task: string, ended: Promise<T>): Promise<T> {
  try {
    return await ended;
  } catch (thrown) {
    const { code, message } = ExpertmeshError.from(thrown);
    if (code === 'cancelled') logger.info({ task }, message);
    else logger.error({ err: thrown, task }, 'task failed');
    throw thrown;
  }
}
