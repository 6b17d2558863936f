import { type ExecutionProvider, type Provider } from '@expertmesh/shared/config/execution-provider';
import { formatBytes } from '@expertmesh/shared/expert-store/format-bytes';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Role } from '@expertmesh/shared/process/parent-link';
import { whyNotNative } from '../compute-backend.js';
import { PROBE_TOKENS } from './expert-probe.js';
import { mayHaveGpu } from './gpu-devices.js';
import { gpuBudget, requireGpuMemory, type GpuBudget } from './gpu-memory.js';
import { existsOn, GPU_PROVIDERS, isGpu, remedyFor, type GpuProvider } from './gpu-provider.js';
import { type ProbeGeometry } from './probe-model.js';
import { probeProviders, type ProviderProbe } from './provider-probe.js';

export interface ProviderRequest {
  /** What was asked for. */
  readonly ep: ExecutionProvider;
  readonly geometry: ProbeGeometry;
  readonly numThreads: number;
  /** A coordinator computes the dense part, too, which not every GPU provider can. */
  readonly role: Role;
  /** As --gpu-memory-bytes says. */
  readonly gpuMemoryBytes: number | undefined;
  /** At most: a worker does not know its experts yet. */
  readonly needBytes: number;
  /** Ends what is being tried. */
  readonly signal: AbortSignal;
}

export interface ProviderChoice {
  readonly provider: Provider;
  /** Why this one, as a sentence without its end. */
  readonly reason: string;
  /** Of a GPU. */
  readonly gpu?: GpuBudget;
}

/** What the choice asks of this machine. */
export interface Machine {
  readonly mayHaveGpu: () => boolean;
  readonly gpuBudget: (askedBytes: number | undefined) => Promise<GpuBudget>;
  readonly whyNotNative: typeof whyNotNative;
  readonly probe: typeof probeProviders<Provider>;
}

const THIS_MACHINE: Machine = { mayHaveGpu, gpuBudget, whyNotNative, probe: probeProviders };

/** A GPU driver takes its time when it is first used. */
const NAMED_TIMEOUT_MS = 60_000;
/** When nobody asked for a GPU, a slow one is no use. */
const AUTO_TIMEOUT_MS = 5_000;

/**
 * Chooses what computes. A provider that is named must work; with `auto` the CPU's best is taken, unless a GPU is known
 * to have the memory, and computes experts correctly and faster.
 *
 * @throws ExpertmeshError `failed_precondition` when the named provider does not work here, with the reason and what to
 * do; `resource_exhausted` when its GPU cannot hold what a coordinator needs (a worker checks what is assigned to it).
 * The signal's reason when it aborts.
 */
export async function chooseProvider(request: ProviderRequest, machine = THIS_MACHINE): Promise<ProviderChoice> {
  const { ep } = request;
  if (ep === 'auto') return chooseBest(request, machine);
  if (ep === 'native') requireNative(request, machine);
  const choice = { provider: ep, reason: `--ep ${ep} asks for it` };
  return isGpu(ep) ? { ...choice, gpu: await requireGpu(ep, request, machine) } : choice;
}

function requireNative({ geometry }: ProviderRequest, machine: Machine): void {
  const reason = machine.whyNotNative(geometry.quantisation);
  if (reason !== undefined) throw new ExpertmeshError('failed_precondition', `--ep native: ${reason}; or use --ep cpu`);
}

async function requireGpu(ep: GpuProvider, request: ProviderRequest, machine: Machine): Promise<GpuBudget> {
  const { geometry, numThreads, role, needBytes, gpuMemoryBytes, signal } = request;
  if (!GPU_PROVIDERS[role].includes(ep))
    throw new ExpertmeshError(
      'failed_precondition',
      `--ep ${ep} is for workers: no coordinator has been tried on it; use ` +
        `--ep ${GPU_PROVIDERS[role].join(', ')}, native or cpu there`,
    );
  const budget = await machine.gpuBudget(gpuMemoryBytes);
  if (role === 'coordinator') requireGpuMemory(needBytes, budget);
  const options = { numThreads, timeoutMs: NAMED_TIMEOUT_MS, withDense: role === 'coordinator', signal };
  const probe = (await machine.probe([ep], geometry, options)).get(ep);
  if (probe?.type !== 'works')
    throw new ExpertmeshError(
      'failed_precondition',
      `--ep ${ep} does not work here: ${probe?.reason ?? 'it was not tried'}; ${remedyFor(ep)}, or use --ep auto`,
    );
  return budget;
}

async function chooseBest(request: ProviderRequest, machine: Machine): Promise<ProviderChoice> {
  const { geometry, numThreads, role, needBytes, gpuMemoryBytes, signal } = request;
  const onCpu = bestOnCpu(geometry, machine);
  const without = (why: string): ProviderChoice => ({ ...onCpu, reason: `${onCpu.reason}; ${why}` });
  if (!machine.mayHaveGpu()) return without('no GPU is here');
  const gpu = await machine.gpuBudget(gpuMemoryBytes);
  if (gpu.bytes === undefined) return without(`no GPU is tried, its memory is ${gpu.source}`);
  if (needBytes > gpu.bytes) return without(`the GPU cannot hold ${formatBytes(needBytes)} of weights: ${gpu.source}`);
  const options = { numThreads, timeoutMs: AUTO_TIMEOUT_MS, withDense: role === 'coordinator', signal };
  const candidates = GPU_PROVIDERS[role].filter((provider) => existsOn(provider));
  try {
    const probes = await machine.probe([onCpu.provider, ...candidates], geometry, options);
    return fastest(onCpu, probes, gpu);
  } catch (error) {
    signal.throwIfAborted();
    return without(`no GPU could be tried: ${ExpertmeshError.from(error).message}`);
  }
}

function bestOnCpu({ quantisation }: ProbeGeometry, machine: Machine): ProviderChoice {
  const reason = machine.whyNotNative(quantisation);
  return reason === undefined
    ? { provider: 'native', reason: `there are native kernels for ${String(quantisation.bits)} bits` }
    : { provider: 'cpu', reason };
}

function fastest(onCpu: ProviderChoice, probes: ReadonlyMap<Provider, ProviderProbe>, gpu: GpuBudget): ProviderChoice {
  const timesMs = [...probes].flatMap(([provider, probe]) =>
    probe.type === 'works' ? [{ provider, ms: probe.experts.ms }] : [],
  );
  const best = timesMs.sort((a, b) => a.ms - b.ms)[0];
  const found = [...probes].map(([provider, probe]) => `${provider} ${describe(probe)}`).join(', ');
  // Where not even the CPU's own could be timed, it is still what is known to work.
  const isCompared = probes.get(onCpu.provider)?.type === 'works' && best !== undefined;
  const provider = isCompared ? best.provider : onCpu.provider;
  return {
    provider,
    reason: `experts for ${String(PROBE_TOKENS)} tokens: ${found}`,
    ...(isGpu(provider) ? { gpu } : {}),
  };
}

const describe = (probe: ProviderProbe): string =>
  probe.type === 'works' ? `${probe.experts.ms.toFixed(1)} ms` : `does not work (${probe.reason})`;
