import '@expertmesh/shared/onnx/no-telemetry';
import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { measureMemoryRate } from '@expertmesh/compute/provider/memory-rate';
import { parseWorkerConfig, type WorkerConfig } from '@expertmesh/shared/config/worker-config';
import { type ExpertStore, openExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { ExpertServiceDefinition } from '@expertmesh/shared/gen/expertmesh/v1/expert';
import { runUntilShutdown, type Lifecycle } from '@expertmesh/shared/process/lifecycle';
import { createLogger, type Logger } from '@expertmesh/shared/process/logger';
import { reportListening } from '@expertmesh/shared/process/parent-link';
import { createHealth, WHOLE_SERVER } from '@expertmesh/shared/rpc/health';
import { startServer } from '@expertmesh/shared/rpc/server';
import { type FileSource } from '@expertmesh/shared/store-repair/file-source';
import { openRpcSource } from '@expertmesh/shared/store-repair/rpc-source';
import { createStoreService } from '@expertmesh/shared/store-repair/store-service';
import { openTransportSecurity, tlsFilesOf } from '@expertmesh/shared/transport-security/open-transport-security';
import { type TransportSecurity } from '@expertmesh/shared/transport-security/transport-security';
import { chooseCompute } from './choose-compute.js';
import { ComputeClient } from './calls/compute-client.js';
import { type ComputeThreadOptions } from './calls/compute-contract.js';
import { type registerWorker } from './control/registration.js';
import { MendingCompute } from './control/mending-compute.js';
import { OwnCapacity } from './control/own-capacity.js';
import { scrubExperts } from './control/scrub-experts.js';
import { WorkerControl } from './control/worker-control.js';
import { WorkerCounters } from './calls/worker-counters.js';
import { createWorkerService } from './control/worker-service.js';

/** How long failed calls and ended streams may take to reach their peers, after the time to drain is over. */
const CLOSE_TIMEOUT_MS = 1_000;

/** The command `expertmesh worker`. Resolves after a clean shutdown, rejects when the worker had to give up. */
export async function main(argv: readonly string[]): Promise<void> {
  const config = parseWorkerConfig(argv, process.env);
  const logger = createLogger({ name: 'worker', level: config.logLevel });
  await runUntilShutdown({ logger, drainTimeoutMs: config.drainTimeoutMs }, (lifecycle) =>
    startWorker(config, logger, lifecycle),
  );
}

/** The control plane, in this thread; the compute thread has the rest. */
async function startWorker(config: WorkerConfig, logger: Logger, lifecycle: Lifecycle): Promise<void> {
  const security = openTransportSecurity(config, 'worker', config.natsUrl && config.cluster, logger);
  const store = await openExpertStore(config.store);
  const counters = new WorkerCounters();
  const memory = await chooseCompute(config, store, logger, lifecycle.signal);
  const { provider, memoryBudgetBytes } = memory;
  const { compute, dataPort } = await startCompute(config, { provider, counters: counters.memory }, logger, lifecycle);
  const capacity = new OwnCapacity({ ...config, store, provider, counters });
  void measureInto(capacity, config, logger);
  const health = createHealth();
  const onServing = (isServing: boolean): void => {
    health.set(ExpertServiceDefinition.fullName, isServing);
  };
  const mending = mendingCompute(config, store, compute, security, logger);
  const control = new WorkerControl({ store, memory, compute: mending, onServing });
  const scrubbing = { store, bytesPerSecond: config.scrubBytesPerSecond, control, compute: mending, counters, logger };
  if (provider === 'native') void scrubExperts(scrubbing, lifecycle.signal);
  const { storeId } = store;
  const identity = { bootId: randomUUID(), storeId, dataPort, memoryBudgetBytes };
  const server = await startServer({
    host: config.host,
    port: config.controlPort,
    portFlag: '--control-port',
    security,
    services: [createWorkerService(control, counters, identity, capacity), createStoreService(store), health.service],
  });
  lifecycle.onShutdown('control port', async () => {
    health.close();
    await server.close(CLOSE_TIMEOUT_MS);
  });
  await register(config, { ...identity, controlPort: server.port, security }, logger, lifecycle);
  // Opened last, so it is closed first: health and stats answer until the calls are drained.
  lifecycle.onShutdown('data port', async (deadline) => {
    health.set(WHOLE_SERVER, false);
    await drainAndClose(control, compute, deadline);
  });
  health.set(ExpertServiceDefinition.fullName, false);
  health.set(WHOLE_SERVER, true);
  reportListening({ type: 'listening', role: 'worker', dataPort, controlPort: server.port });
  logger.info({ dataPort, controlPort: server.port, storeId, memoryBudgetBytes }, 'listening');
}

async function register(
  config: WorkerConfig,
  record: Parameters<typeof registerWorker>[1],
  logger: Logger,
  lifecycle: Lifecycle,
): Promise<void> {
  const { natsUrl } = config;
  if (natsUrl === undefined) return;
  // Only where it is needed: the client of NATS takes its share of a worker's memory.
  const registration = await import('./control/registration.js');
  lifecycle.onShutdown('registration', registration.registerWorker({ ...config, natsUrl }, record, logger));
}

function mendingCompute(
  { verify: mode, numThreads, cacheDir }: WorkerConfig,
  store: ExpertStore,
  compute: ComputeClient,
  security: TransportSecurity | undefined,
  logger: Logger,
): MendingCompute {
  const verify = { mode, numThreads, cacheDir };
  const openSource = (address: string): FileSource => openRpcSource(address, store.storeId, security);
  return new MendingCompute({ compute, store, verify, openSource, logger });
}

async function startCompute(
  config: WorkerConfig,
  own: Pick<ComputeThreadOptions, 'provider' | 'counters'>,
  logger: Logger,
  lifecycle: Lifecycle,
) {
  const { store: storeDir, host, port, numThreads, isa, cacheDir, logLevel } = config;
  const verify = { mode: config.verify, numThreads, cacheDir };
  const options = { ...own, storeDir, host, port, numThreads, isa, verify, logLevel, tls: tlsFilesOf(config) };
  const started = await ComputeClient.start(options, (error) => {
    logger.fatal({ err: error }, error.message);
    lifecycle.fail(error);
  });
  lifecycle.onShutdown('compute thread', () => started.compute.terminate());
  return started;
}

/** Never rejects: serving does not need the figure. */
async function measureInto(
  capacity: OwnCapacity,
  { numThreads, memoryBudgetBytes }: WorkerConfig,
  logger: Logger,
): Promise<void> {
  try {
    capacity.memoryBytesPerSecond = await measureMemoryRate(numThreads, memoryBudgetBytes);
  } catch (error) {
    logger.warn({ err: error }, 'the rate of memory reads cannot be measured');
  }
}

/**
 * Finishes the queued calls until `deadline`, ends the streams and frees the port; gives up on a thread that does not
 * answer.
 */
async function drainAndClose(control: WorkerControl, compute: ComputeClient, deadline: AbortSignal): Promise<void> {
  const closed = control.drain(deadline).then(() => compute.close());
  await Promise.race([closed, lateness(deadline)]);
}

/** Resolves some time after `deadline` aborted. */
async function lateness(deadline: AbortSignal): Promise<void> {
  if (!deadline.aborted)
    await new Promise((resolve) => {
      deadline.addEventListener('abort', resolve, { once: true });
    });
  await setTimeout(CLOSE_TIMEOUT_MS, undefined, { ref: false });
}
