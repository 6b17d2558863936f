import { formatDirectoryBudget } from '@expertmesh/shared/config/directory-budget';
import { environmentName, flagName } from '@expertmesh/shared/config/option';
import { pick } from '@expertmesh/shared/config/pick';
import { formatQuietHours } from '@expertmesh/shared/config/quiet-hours';
import { type UpConfig } from '@expertmesh/shared/config/up-config';
import { PASSED_ON_OPTIONS } from '@expertmesh/shared/config/up-options';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { formatBytes } from '@expertmesh/shared/expert-store/format-bytes';
import { type MachineResources } from '@expertmesh/shared/process/machine';
import { type ListeningPorts } from '@expertmesh/shared/process/parent-link';
import { type ServedStore } from './served-store.js';

/** How one machine is shared between the coordinator and its workers. */
export interface ProcessPlan {
  readonly threadsPerWorker: number;
  readonly memoryPerWorkerBytes: number;
  /** For experts of the coordinator itself; absent where the workers have them all. */
  readonly localMemoryBytes?: number;
}

const LOOPBACK = '127.0.0.1';
/** The part of the memory that may be planned with; the rest is for the system and for what is not budgeted. */
const PLANNABLE_MEMORY = 0.8;

/**
 * The workers compute while the coordinator waits for them, all of them at once: so the coordinator has every core, and
 * the workers divide the cores among them.
 *
 * @throws ExpertmeshError `invalid_argument` when the KV cache leaves no memory for experts.
 */
export function planProcesses(config: UpConfig, machine: MachineResources): ProcessPlan {
  const plannableBytes = Math.floor(machine.totalMemoryBytes * PLANNABLE_MEMORY);
  if (config.kvCacheBytes >= plannableBytes)
    throw new ExpertmeshError(
      'invalid_argument',
      `--kv-cache-bytes ${formatBytes(config.kvCacheBytes)} leaves no memory for experts: ` +
        `at most ${formatBytes(plannableBytes)} ` +
        `of this machine's ${formatBytes(machine.totalMemoryBytes)} are planned with`,
    );
  const expertBytes = plannableBytes - config.kvCacheBytes;
  if (config.workers === 0)
    return { threadsPerWorker: config.numThreads, memoryPerWorkerBytes: 0, localMemoryBytes: expertBytes };
  return {
    threadsPerWorker: Math.max(1, Math.floor(config.numThreads / config.workers)),
    memoryPerWorkerBytes: Math.floor(expertBytes / config.workers),
  };
}

/**
 * @param workerNumber from 1 on; processes of one machine can die one by one, so each is a failure domain of its own
 * @param ports those to take again after a restart
 */
export function workerArgv(
  config: UpConfig,
  plan: ProcessPlan,
  { storeDir }: ServedStore,
  workerNumber: number,
  ports: ListeningPorts['worker'] = { dataPort: 0, controlPort: 0 },
): string[] {
  return toArgv({
    store: storeDir,
    host: LOOPBACK,
    port: ports.dataPort,
    controlPort: ports.controlPort,
    memoryBudgetBytes: plan.memoryPerWorkerBytes,
    ep: config.ep,
    isa: config.isa,
    gpuMemoryBytes: config.gpuMemoryBytes,
    failureDomain: `worker-${String(workerNumber)}`,
    numThreads: plan.threadsPerWorker,
    verify: config.verify,
    scrubBytesPerSecond: config.scrubBytesPerSecond,
    cacheDir: config.cacheDir,
    drainTimeoutMs: config.drainTimeoutMs,
    logLevel: config.logLevel,
  });
}

export function coordinatorArgv(
  config: UpConfig,
  plan: ProcessPlan,
  { storeDir, modelNames }: ServedStore,
  workers: readonly ListeningPorts['worker'][],
  ports: ListeningPorts['coordinator'] = { httpPort: config.port, grpcPort: config.grpcPort },
): string[] {
  return toArgv({
    store: storeDir,
    workers: workers.map(({ controlPort }) => `127.0.0.1:${String(controlPort)}`).join(',') || undefined,
    localExperts: config.workers === 0 ? 'on' : undefined,
    host: config.host,
    port: ports.httpPort,
    // What operators do is done on this machine, without certificates.
    grpcHost: LOOPBACK,
    grpcPort: ports.grpcPort,
    servedModelName: modelNames.join(','),
    corsOrigin: config.corsOrigin.join(',') || undefined,
    ...passedOn(config),
    memoryBudgetBytes: plan.localMemoryBytes,
    ep: config.ep,
    isa: config.isa,
    gpuMemoryBytes: config.gpuMemoryBytes,
    numThreads: config.numThreads,
    verify: config.verify,
    scrubBytesPerSecond: config.scrubBytesPerSecond,
    cacheDir: config.cacheDir,
    drainTimeoutMs: config.drainTimeoutMs,
    logLevel: config.logLevel,
  });
}

/** Keys, which are seen in the environment by nobody else. */
export function coordinatorSecrets({ apiKey, adminKey }: UpConfig): Readonly<Record<string, string>> {
  return {
    ...(apiKey !== undefined && { [environmentName('apiKey')]: apiKey }),
    ...(adminKey !== undefined && { [environmentName('adminKey')]: adminKey }),
  };
}

function passedOn(config: UpConfig) {
  const settings = pick(config, PASSED_ON_OPTIONS);
  const { rebalanceQuietHours: quietHours, kvCacheDisk, reflection, trustRequestChatTemplate } = settings;
  return {
    ...settings,
    kvCacheDisk: kvCacheDisk && formatDirectoryBudget(kvCacheDisk),
    rebalanceQuietHours: quietHours && formatQuietHours(quietHours),
    reflection: reflection ? 'on' : undefined,
    trustRequestChatTemplate: trustRequestChatTemplate ? 'on' : undefined,
  };
}

/** Flags as a role's parser reads them; what is undefined is left to its default. */
function toArgv(settings: Readonly<Record<string, string | number | undefined>>): string[] {
  return Object.entries(settings).flatMap(([key, value]) =>
    value === undefined ? [] : [flagName(key), String(value)],
  );
}
