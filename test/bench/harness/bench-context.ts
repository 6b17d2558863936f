import { cpus } from 'node:os';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { seededRandom } from '@expertmesh/shared/random/seeded-random';
import { fileCopyBytesPerSecond, matrixProductFlops, type MachineLimits } from '../limits/machine-limits.js';
import { type BenchOptions } from './bench-options.js';
import { bytesPerStep, flopsPerPromptToken, storeBytes, type StoreBytes } from './model-cost.js';
import { type Samples } from './samples.js';

/** More than this of other work shows in the figures. */
const BUSY_CORES = 0.2;
const QUIET_MS = 500;

/** What the parts of a run share. */
export interface BenchContext {
  readonly options: BenchOptions;
  readonly samples: Samples;
  /** Why something is not measured, by the beginning of its measures' names. */
  readonly reasons: Map<string, string>;
  readonly limits: MachineLimits;
  readonly say: (line: string) => void;
}

/** A store with what its size means for the limits. */
export interface BenchStore {
  readonly store: ExpertStore;
  readonly bytes: StoreBytes;
}

export function benchStore(store: ExpertStore): BenchStore {
  return { store, bytes: storeBytes(store) };
}

export const BATCH_SIZES = [1, 4, 16] as const;
export type BatchSize = (typeof BATCH_SIZES)[number];

/** Measures the machine itself, and what its limits come to for a model; `prefix` tells several models apart. */
export async function sampleLimits(
  context: BenchContext,
  { store, bytes }: BenchStore,
  prefix: string,
  round: number,
): Promise<void> {
  const { samples, limits, options, say } = context;
  const otherCores = await busyCores();
  samples.add('limit.otherCores', round, otherCores);
  if (otherCores > BUSY_CORES)
    say(`${otherCores.toFixed(1)} cores are busy with something else: this round is worth little`);
  const oneThread = await limits.readBytesPerSecond(1);
  const allThreads = await limits.readBytesPerSecond(options.numThreads);
  samples.add('limit.read.1', round, oneThread / 1e9);
  samples.add('limit.read.all', round, allThreads / 1e9);
  // A second thread adds nothing where one takes the whole bandwidth, and noise must not make the limit lower.
  const readBytesPerSecond = Math.max(oneThread, allThreads);
  for (const batchSize of BATCH_SIZES) {
    const stepsPerSecond = readBytesPerSecond / bytesPerStep(store.spec, bytes, batchSize);
    samples.add(`${prefix}.decode.${String(batchSize)}`, round, batchSize * stepsPerSecond);
  }
  const flops = await matrixProductFlops(options.numThreads);
  samples.add('limit.gflops', round, flops / 1e9);
  samples.add(`${prefix}.prefill`, round, flops / flopsPerPromptToken(store.spec));
  samples.add('limit.roundTrip', round, (await limits.loopbackRoundTripUs()) / 1000);
  const { path } = store.manifest.blobs.reduce((a, b) => (b.sizeBytes > a.sizeBytes ? b : a));
  samples.add('limit.fileCopy', round, fileCopyBytesPerSecond(`${store.dir}/${path}`) / 1e9);
}

/** How many cores compute anything while nothing here does. */
async function busyCores(): Promise<number> {
  const before = idleMs();
  const startMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  return Math.max(0, cpus().length - (idleMs() - before) / (performance.now() - startMs));
}

const idleMs = (): number => cpus().reduce((sum, { times }) => sum + times.idle, 0);

/** Makes prompts of tokens that were never asked for before, the same ones in every run. */
export class PromptMaker {
  readonly #random = seededRandom(7);
  readonly #numTokens: number;

  /** @param numTokens Ids below this are used: those of ordinary tokens. */
  constructor(numTokens: number) {
    this.#numTokens = numTokens;
  }

  prompts(count: number, length: number): number[][] {
    return Array.from({ length: count }, () =>
      Array.from({ length }, () => Math.floor(this.#random() * this.#numTokens)),
    );
  }
}
