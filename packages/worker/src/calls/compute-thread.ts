import { parentPort, workerData } from 'node:worker_threads';
import { createComputeBackend } from '@expertmesh/compute/compute-backend';
import { maxPairsPerRun } from '@expertmesh/compute/experts/onnx-layer-runner';
import { toErrorData } from '@expertmesh/shared/errors/expertmesh-error';
import { packedBytesOf, shardBlobPaths } from '@expertmesh/shared/expert-store/shard-blobs';
import { openExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { BlobVerification } from '@expertmesh/shared/expert-store/verification/blob-verification';
import { type LoadProgress } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { MAX_QUEUED_BYTES, MAX_QUEUED_CALLS } from '@expertmesh/shared/limits/limits';
import { createLogger } from '@expertmesh/shared/process/logger';
import { startGrpcStreamServer } from '@expertmesh/shared/rpc/grpc-stream/grpc-stream-server';
import { type RpcServer } from '@expertmesh/shared/rpc/server';
import { expertService } from '@expertmesh/shared/rpc/services';
import { type Assignment } from '../shards/assignment.js';
import { CallExecutor } from './call-executor.js';
import {
  type ComputeReply,
  type ComputeRequest,
  type ComputeTask,
  type ComputeThreadOptions,
} from './compute-messages.js';
import { ExpertService } from './expert-service.js';
import { createLayerLoader } from '../shards/layer-loader.js';
import { ShardHost } from '../shards/shard-host.js';
import { WorkerCounters } from './worker-counters.js';

/** How long ended streams may take to reach their peers before their connections are closed. */
const CLOSE_TIMEOUT_MS = 500;

/*
 * Entry of the compute thread: the data-plane server and the experts. Computing blocks this thread, so control and
 * health are the main thread's; see compute-client.ts for the other end.
 */
const { storeDir, host, port, provider, numThreads, verify, logLevel, counters } = workerData as ComputeThreadOptions;
const logger = createLogger({ name: 'worker-compute', level: logLevel });
const store = await openExpertStore(storeDir);
const shardHost = new ShardHost({
  hiddenSize: store.spec.hiddenSize,
  loadLayer: createLayerLoader(store, createComputeBackend(provider, store.quantisation, numThreads, true)),
  packedBytesOf: (shard) => packedBytesOf(store, shard),
  verify: (shards, signal) => new BlobVerification(store, shards.flatMap(shardBlobPaths), verify, signal),
});
const executor = new CallExecutor({
  served: () => shardHost.served,
  counters: new WorkerCounters(counters),
  queueBounds: { maxCalls: MAX_QUEUED_CALLS, maxBytes: MAX_QUEUED_BYTES },
  maxBatchRows: maxPairsPerRun(store.spec.hiddenSize),
});
const service = new ExpertService(executor);
const server = await startGrpcStreamServer({
  host,
  port,
  portFlag: '--port',
  method: expertService.dispatch,
  accept: service.accept,
  onError: (error) => {
    logger.error({ err: error }, 'the data port cannot accept a connection');
  },
});
const aborts = new Map<number, AbortController>();

parentPort?.on('message', (request: ComputeRequest) => {
  switch (request.type) {
    case 'task':
      void answerTask(request.taskId, request.task);
      break;
    case 'abort':
      aborts.get(request.taskId)?.abort();
      break;
  }
});
reply({ type: 'ready', dataPort: server.port });

async function answerTask(taskId: number, task: ComputeTask): Promise<void> {
  const abort = new AbortController();
  aborts.set(taskId, abort);
  try {
    const onProgress = (progress: LoadProgress): void => {
      reply({ type: 'progress', taskId, progress });
    };
    reply({ type: 'done', taskId, numFailedCalls: await runTask(task, onProgress, abort.signal) });
  } catch (thrown) {
    const error = toErrorData(thrown);
    if (error.code === 'cancelled') logger.info({ task: task.type }, error.message);
    else logger.error({ err: thrown, task: task.type }, 'task failed');
    reply({ type: 'failed', taskId, error });
  } finally {
    aborts.delete(taskId);
  }
}

async function runTask(
  task: ComputeTask,
  onProgress: (progress: LoadProgress) => void,
  signal: AbortSignal,
): Promise<number> {
  switch (task.type) {
    case 'load':
      await loadShard(task.assignment, onProgress, signal);
      return 0;
    case 'unload':
      await shardHost.unload();
      return 0;
    case 'drain':
      return executor.drain(signal);
    case 'close':
      await closeServer(service, server);
      return 0;
  }
}

async function loadShard(
  assignment: Assignment,
  onProgress: (progress: LoadProgress) => void,
  signal: AbortSignal,
): Promise<void> {
  const startMs = performance.now();
  await shardHost.load(assignment, onProgress, signal);
  const { placementVersion, shards } = assignment;
  logger.info(
    { placementVersion, numLayers: shards.length, loadMs: Math.round(performance.now() - startMs) },
    'serving',
  );
}

async function closeServer(expert: ExpertService, dataServer: RpcServer): Promise<void> {
  expert.endStreams();
  await dataServer.close(CLOSE_TIMEOUT_MS);
}

function reply(message: ComputeReply): void {
  parentPort?.postMessage(message);
}
