import { type ProviderChoice } from '@expertmesh/compute/provider/choose-provider';
import { type UpConfig } from '@expertmesh/shared/config/up-config';
import { formatNetworkAddress } from '@expertmesh/shared/config/network-address';
import { runUntilShutdown, type Lifecycle } from '@expertmesh/shared/process/lifecycle';
import { createLogger, type Logger } from '@expertmesh/shared/process/logger';
import { machineResources } from '@expertmesh/shared/process/machine';
import { type ListeningPorts } from '@expertmesh/shared/process/parent-link';
import { requireFreePorts } from '../network/free-ports.js';
import { chooseCompute } from './choose-compute.js';
import { ProgressBar } from '../progress/progress-bar.js';
import { logSink, type LogSink } from './log-sink.js';
import { coordinatorArgv, coordinatorSecrets, planProcesses, workerArgv, type ProcessPlan } from './process-plan.js';
import { unlessAborted, untilReady } from './ready.js';
import { forkRole } from './role-process.js';
import { findModel, servedStore, type FoundModel, type ServedStore } from './served-store.js';
import { summaryText } from './summary.js';
import { SupervisedProcess } from './supervised-process.js';

/** What every process of this machine is started with. */
interface Mesh {
  readonly config: UpConfig;
  readonly compute: ProviderChoice;
  readonly plan: ProcessPlan;
  readonly served: ServedStore;
  readonly sink: LogSink;
  readonly logger: Logger;
  readonly lifecycle: Lifecycle;
}

/** Time for the processes to end after their own time to drain. */
const END_TIMEOUT_MS = 5_000;
/** Once the coordinator has ended, workers have nothing to drain: one that takes longer than this hangs. */
const WORKER_END_TIMEOUT_MS = 2_000;

/** Serves a model with a coordinator and workers on this machine, until it is told to end. */
export async function runUp(config: UpConfig): Promise<void> {
  const sink = logSink();
  const logger = createLogger({ name: 'up', level: config.logLevel, destination: sink });
  const plan = planProcesses(config, machineResources());
  const found = await findModel(config);
  await requireFreePorts(config);
  const drainTimeoutMs = config.drainTimeoutMs + WORKER_END_TIMEOUT_MS + END_TIMEOUT_MS;
  await runUntilShutdown({ logger, drainTimeoutMs }, async (lifecycle) => {
    const served = await packWithProgress(found, lifecycle.signal);
    lifecycle.signal.addEventListener('abort', () => process.stdout.write('Stopping.\n'));
    const compute = await chooseCompute(config, served.storeDir, lifecycle.signal);
    lifecycle.signal.throwIfAborted();
    await startMesh({ config: { ...config, ep: compute.provider }, compute, plan, served, sink, logger, lifecycle });
  });
}

async function packWithProgress(found: FoundModel, signal: AbortSignal): Promise<ServedStore> {
  const bar = new ProgressBar();
  try {
    return await servedStore(found, {
      onStart: (message) => process.stdout.write(`${message}\n`),
      onProgress: (progress) => {
        bar.update(progress);
      },
      signal,
    });
  } finally {
    bar.stop();
  }
}

async function startMesh(mesh: Mesh): Promise<void> {
  const { config, compute, plan, served, lifecycle } = mesh;
  const workersAnd =
    config.workers === 0 ? '' : `${String(config.workers)} worker${config.workers === 1 ? '' : 's'} and `;
  process.stdout.write(`Starting ${workersAnd}a coordinator.\n`);
  const workers = startWorkers(mesh);
  const workerPorts = await unlessAborted(Promise.all(workers.map(({ listening }) => listening)), lifecycle.signal);
  const { httpPort } = await unlessAborted(startCoordinator(mesh, workerPorts).listening, lifecycle.signal);
  const baseUrl = `http://${formatNetworkAddress({ host: reachableHost(config.host), port: httpPort })}`;
  await untilReady(baseUrl, lifecycle.signal, (reason) => process.stdout.write(`Not ready yet: ${reason}\n`));
  const workerPids = workers.map(({ pid }) => pid);
  const { threadsPerWorker } = plan;
  process.stdout.write(summaryText({ ...served, baseUrl, workerPids, threadsPerWorker, compute }));
}

function startWorkers({ config, plan, served, sink, logger, lifecycle }: Mesh): SupervisedProcess<'worker'>[] {
  const workers = Array.from(
    { length: config.workers },
    (_, index) =>
      new SupervisedProcess<'worker'>({
        name: `worker ${String(index + 1)}`,
        logger,
        fork: (ports) => forkRole('worker', workerArgv(config, plan, served, index + 1, ports), writeLineTo(sink)),
        onGiveUp: lifecycle.fail,
      }),
  );
  lifecycle.onShutdown('workers', async (deadline) => {
    const end = new AbortController();
    const abort = (): void => {
      end.abort();
    };
    // Not AbortSignal.any with AbortSignal.timeout: Node 20 may collect such a signal before its time.
    const timer = setTimeout(abort, WORKER_END_TIMEOUT_MS);
    deadline.addEventListener('abort', abort, { once: true });
    await Promise.all(workers.map((worker) => worker.stop(end.signal)));
    clearTimeout(timer);
  });
  return workers;
}

/** Registered after the workers, so it is closed before them: its requests need them to the end. */
function startCoordinator(
  { config, plan, served, sink, logger, lifecycle }: Mesh,
  workerPorts: readonly ListeningPorts['worker'][],
): SupervisedProcess<'coordinator'> {
  const coordinator = new SupervisedProcess<'coordinator'>({
    name: 'the coordinator',
    logger,
    fork: (ports) =>
      forkRole(
        'coordinator',
        coordinatorArgv(config, plan, served, workerPorts, ports),
        writeLineTo(sink),
        coordinatorSecrets(config),
      ),
    onGiveUp: lifecycle.fail,
  });
  lifecycle.onShutdown('coordinator', (deadline) => coordinator.stop(deadline));
  return coordinator;
}

const writeLineTo =
  (sink: LogSink) =>
  (line: string): void => {
    sink.write(`${line}\n`);
  };

// What listens on every address is asked on one that this machine surely has.
const reachableHost = (host: string): string => (['0.0.0.0', '::'].includes(host) ? '127.0.0.1' : host);
