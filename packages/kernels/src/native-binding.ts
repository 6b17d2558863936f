import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type KvLayout } from './kv-layout.js';

/** An object of the addon; what it is for is known to the addon alone. */
export interface NativeHandle<Name extends string> {
  readonly handleOf: Name;
}

/** A matrix [out, in] in a mapped file, as blob-layout.ts of the store describes it. Vectors are fp32 with `out` 1. */
export type NativeMatrix = {
  readonly file: NativeHandle<'file'>;
  readonly out: number;
  readonly in: number;
  readonly weightsOffsetBytes: number;
} & ({ readonly bits: 32 } | { readonly bits: 4 | 8; readonly blockSize: number; readonly scalesOffsetBytes: number });

export interface NativeExpert {
  readonly gateUp: NativeMatrix;
  readonly down: NativeMatrix;
}

export interface NativeDenseLayer {
  readonly layerIndex: number;
  readonly hiddenSize: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly rmsNormEps: number;
  readonly topK: number;
  readonly normTopkProb: boolean;
  readonly inputNorm: NativeMatrix;
  readonly qkv: NativeMatrix;
  readonly qkvBias: NativeMatrix | undefined;
  readonly qNorm: NativeMatrix;
  readonly kNorm: NativeMatrix;
  readonly o: NativeMatrix;
  readonly oBias: NativeMatrix | undefined;
  readonly postNorm: NativeMatrix;
  readonly router: NativeMatrix | undefined;
  readonly gateUp: NativeMatrix | undefined;
  readonly down: NativeMatrix | undefined;
}

type Pool = NativeHandle<'pool'>;

/** What a call computes. */
export type KernelJob = 'linear' | 'experts' | 'dense' | 'head' | 'wholeLayers';

/**
 * What native/addon exports. Every argument is checked there: a wrong one throws a RangeError and nothing is read.
 * Arrays of a call must be left alone until its promise is settled.
 */
export interface NativeBinding {
  isas(): string[];
  mapFile(path: string): NativeHandle<'file'>;
  prefault(file: NativeHandle<'file'>): Promise<void>;
  createPool(
    numThreads: number,
    isa: string,
    spinMicroseconds: number,
    isBlocking: boolean,
    isInvariant: boolean,
  ): Pool;
  closePool(pool: Pool): void;
  poolStats(pool: Pool): Record<KernelJob, { numCalls: number; seconds: number }>;
  createLinear(matrix: NativeMatrix): NativeHandle<'linear'>;
  createExpertLayer(experts: readonly NativeExpert[]): NativeHandle<'experts'>;
  createDenseLayer(layer: NativeDenseLayer): NativeHandle<'dense'>;
  /** Keeps the slabs alive. */
  createKvPool(layout: KvLayout, slabs: readonly Uint8Array[]): NativeHandle<'kvPool'>;
  /** How many of the bytes lie before the first border of 64 bytes. */
  bytesToBorder(bytes: Uint8Array): number;
  crc32c(bytes: Uint8Array): number;
  createHead(norm: NativeMatrix, lmHead: NativeMatrix, rmsNormEps: number): NativeHandle<'head'>;
  runLinear(pool: Pool, linear: NativeHandle<'linear'>, x: Float32Array, y: Float32Array): Promise<number>;
  runExperts(
    pool: Pool,
    layer: NativeHandle<'experts'>,
    rows: Float32Array,
    pairRows: Uint32Array,
    pairExperts: Uint32Array,
    pairWeights: Float32Array,
    out: Float32Array,
    sumUnits: Float32Array,
    high: Float32Array,
  ): Promise<number>;
  /** Three values a sequence: rows, block ids, length. */
  runDense(
    pool: Pool,
    layer: NativeHandle<'dense'>,
    hidden: Float32Array,
    cos: Float32Array,
    sin: Float32Array,
    kv: NativeHandle<'kvPool'>,
    sequences: readonly (number | Int32Array)[],
    residual: Float32Array,
    normed: Float32Array,
    expertIds: Int32Array,
    routingWeights: Float32Array,
    probabilitySums: Float32Array,
  ): Promise<number>;
  runHead(pool: Pool, head: NativeHandle<'head'>, hidden: Float32Array, logits: Float32Array): Promise<number>;
  /**
   * Two values a layer: its dense part, and its experts or undefined. Sequences as for runDense.
   *
   * @param seconds [2] written: of the dense parts and of the experts, of the layers that have experts.
   */
  runWholeLayers(
    pool: Pool,
    layers: readonly (NativeHandle<'dense'> | NativeHandle<'experts'> | undefined)[],
    hidden: Float32Array,
    cos: Float32Array,
    sin: Float32Array,
    kv: NativeHandle<'kvPool'>,
    sequences: readonly (number | Int32Array)[],
    residual: Float32Array,
    normed: Float32Array,
    expertIds: Int32Array,
    routingWeights: Float32Array,
    probabilitySums: Float32Array,
    seconds: Float64Array,
    areSumsExact: boolean,
  ): Promise<number>;
  readBandwidth(pool: Pool, numBytes: number): Promise<number>;
  productPeak(pool: Pool): Promise<number>;
  /** Frees the pool's working memory where it is more than that, and says how much is left. */
  keepWorkspace(pool: Pool, numBytes: number): Promise<number>;
}

const ADDON_FILE = fileURLToPath(new URL('../build/Release/expertmesh_kernels.node', import.meta.url));

/** @throws Error where the addon was not built, or does not fit this Node. */
export function loadBinding(): NativeBinding {
  return createRequire(import.meta.url)(ADDON_FILE) as NativeBinding;
}

/** Calls into the addon; what it refuses becomes an ExpertmeshError `invalid_argument`. */
export function guarded<T>(call: () => T): T {
  try {
    return call();
  } catch (cause) {
    throw translated(cause);
  }
}

/**
 * As `guarded`, for calls that end later; those that fail then (out of memory, pool closed) are `resource_exhausted`.
 */
export async function guardedCall(call: () => Promise<number>): Promise<number> {
  try {
    return await call();
  } catch (cause) {
    throw translated(cause);
  }
}

function translated(cause: unknown): ExpertmeshError {
  const message = cause instanceof Error ? cause.message : String(cause);
  const code = cause instanceof RangeError ? 'invalid_argument' : 'resource_exhausted';
  return new ExpertmeshError(code, `native kernels: ${message}`, { cause });
}
