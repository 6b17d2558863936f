import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { formatBytes } from '@expertmesh/shared/expert-store/format-bytes';
import { estimateMemoryBytes } from '@expertmesh/shared/memory/memory-estimate';
import { storeBlobs, type BlobContent } from '@expertmesh/shared/expert-store/store-blobs';
import { type ProbeGeometry } from './probe-model.js';

const TIMEOUT_MS = 2_000;
/** The rest is for what ONNX Runtime keeps between runs. */
const USABLE_PART = 0.9;

/** Memory of a GPU that may be used. */
export interface GpuBudget {
  /** Undefined where nothing is known. */
  readonly bytes: number | undefined;
  /** Where the figure is from, for people. */
  readonly source: string;
}

/**
 * What --gpu-memory-bytes says, else most of what is free on the first NVIDIA GPU by its driver's own tool. Nothing
 * tells it of other GPUs: WebGPU hides it, too.
 */
export async function gpuBudget(askedBytes: number | undefined, runTool = runNvidiaSmi): Promise<GpuBudget> {
  if (askedBytes !== undefined) return { bytes: askedBytes, source: `--gpu-memory-bytes ${String(askedBytes)}` };
  const gpu = await runTool().then(parseNvidiaSmi, () => undefined);
  if (gpu === undefined) return { bytes: undefined, source: 'not known unless --gpu-memory-bytes is given' };
  return {
    bytes: Math.floor(gpu.freeBytes * USABLE_PART),
    source: `${String(USABLE_PART * 100)} % of ${formatBytes(gpu.freeBytes)} free on ${gpu.name}`,
  };
}

/**
 * Bytes of weights that a process would keep in the memory of a GPU. The KV cache is never there.
 *
 * @param isHeld which parts of the model the process has
 */
export function gpuNeedBytes({ spec, quantisation }: ProbeGeometry, isHeld: (content: BlobContent) => boolean): number {
  const held = storeBlobs(spec, quantisation).filter(({ content }) => isHeld(content));
  const packedBytes = held.reduce((sum, { layout }) => sum + layout.sizeBytes, 0);
  return estimateMemoryBytes(packedBytes, quantisation, 'webgpu');
}

/** @throws ExpertmeshError `resource_exhausted` for more than the budget, where one is known. */
export function requireGpuMemory(needBytes: number, { bytes, source }: GpuBudget): void {
  if (bytes === undefined || needBytes <= bytes) return;
  throw new ExpertmeshError(
    'resource_exhausted',
    `the GPU is to hold ${formatBytes(needBytes)} of weights, its budget is ${formatBytes(bytes)} (${source}): leave ` +
      'more experts to workers, or use --ep auto',
  );
}

interface Gpu {
  readonly name: string;
  readonly freeBytes: number;
}

/** @param text as of `--query-gpu=name,memory.free --format=csv,noheader,nounits`: MiB. */
function parseNvidiaSmi(text: string): Gpu | undefined {
  const [, name, freeMib] = /^(.+), (\d+)$/m.exec(text) ?? [];
  return name === undefined ? undefined : { name, freeBytes: Number(freeMib) * 2 ** 20 };
}

async function runNvidiaSmi(): Promise<string> {
  const query = ['--query-gpu=name,memory.free', '--format=csv,noheader,nounits'];
  return (await promisify(execFile)('nvidia-smi', query, { timeout: TIMEOUT_MS })).stdout;
}
