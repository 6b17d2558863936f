// How near the native kernels come to the speed of the memory, and how they compare with ONNX Runtime, both measured in
// the same run and in turn: `npx tsx test/bench/kernels.ts [threads]`. Weights are read from memory: each measure goes
// round more of them than the caches hold. Geometry of Qwen3-30B-A3B.
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type BlobLayout, expertLayout } from '@expertmesh/shared/expert-store/blob-layout';
import { expertBlobPath } from '@expertmesh/shared/expert-store/blob-path';
import { type BlockSize, type Quantisation } from '@expertmesh/shared/expert-store/quantisation';
import { PRESET_CONFIGS } from '@expertmesh/shared/expert-store/synth/presets';
import { parseModelSpec } from '@expertmesh/shared/model/model-spec';
import { buildExpertShardGraph } from '@expertmesh/shared/onnx/expert-graph';
import { GraphBuilder } from '@expertmesh/shared/onnx/graph-builder';
import { linear as linearOp } from '@expertmesh/shared/onnx/linear-op';
import { createOnnxSession, type OnnxSession } from '@expertmesh/shared/onnx/session';
import { ExpertLayer } from '@expertmesh/kernels/expert-layer';
import { type KernelPool } from '@expertmesh/kernels/kernel-pool';
import { loadKernels, whyNoKernels, type Kernels } from '@expertmesh/kernels/kernels';
import { Linear } from '@expertmesh/kernels/linear';
import { randomFloats, writeDummyBlob } from '@expertmesh/test-kit/dummy-blobs';
import { tempDir } from '@expertmesh/test-kit/temp-dir';

const ROUNDS = 7;
const NUM_LAYERS = 12;
const EXPERT_IDS = [0, 1, 2, 3, 4, 5, 6, 7];
const spec = parseModelSpec(PRESET_CONFIGS['qwen3-30b-a3b']);
const numThreads = Number(process.argv[2] ?? 2);

/** Something to measure: one pass goes once over all its weights. */
interface Subject {
  readonly name: string;
  readonly weightBytes: number;
  readonly numMacs: number;
  readonly passes: Readonly<Record<'native' | 'onnx', () => Promise<void>>>;
}

const kernels = loadKernels();
if (kernels === undefined) {
  console.error(whyNoKernels());
  process.exitCode = 1;
} else {
  const pool = kernels.createPool({ numThreads });
  await report(kernels, pool);
  await pool.close();
}

async function report(available: Kernels, pool: KernelPool): Promise<void> {
  console.log(`${available.isas[0] ?? ''}, ${String(numThreads)} threads, median of ${String(ROUNDS)} rounds`);
  const subjects = [
    await experts(available, pool, 128),
    await experts(available, pool, 32),
    await matrix(available, pool, 'head 151,936 x 2,048', spec.vocabSize, 1, 1),
    await matrix(available, pool, 'QKV 5,120 x 2,048', 5120, NUM_LAYERS, 1),
  ];
  for (const subject of subjects) await reportReading(subject, pool);
  for (const numRows of [4, 16, 64, 256])
    await reportArithmetic(await matrix(available, pool, `QKV, ${String(numRows)} rows`, 5120, 4, numRows));
}

async function reportReading(subject: Subject, pool: KernelPool): Promise<void> {
  const limit = (await pool.readBandwidth(2 ** 28)) / 1e9;
  const { native, onnx } = await medians(subject);
  const rate = (seconds: number): string => {
    const gbPerS = subject.weightBytes / seconds / 1e9;
    return `${gbPerS.toFixed(1)} GB/s (${((100 * gbPerS) / limit).toFixed(0)} %)`;
  };
  console.log(
    `${subject.name}: native ${rate(native)}, ONNX Runtime ${rate(onnx)}, ratio ${(onnx / native).toFixed(2)}; ` +
      `the memory is read at ${limit.toFixed(1)} GB/s`,
  );
}

async function reportArithmetic(subject: Subject): Promise<void> {
  const { native, onnx } = await medians(subject);
  const rate = (seconds: number): string => `${(subject.numMacs / seconds / 1e9).toFixed(0)} GMAC/s`;
  console.log(
    `${subject.name}: native ${rate(native)}, ONNX Runtime ${rate(onnx)}, ratio ${(onnx / native).toFixed(2)}`,
  );
}

/** Seconds of a pass. */
async function medians({ passes }: Subject): Promise<Record<'native' | 'onnx', number>> {
  const times = { native: [] as number[], onnx: [] as number[] };
  for (let round = 0; round <= ROUNDS; round++) {
    for (const side of ['native', 'onnx'] as const) {
      const startedAt = performance.now();
      await passes[side]();
      // The first round reads the files.
      if (round > 0) times[side].push((performance.now() - startedAt) / 1000);
    }
  }
  const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
  return { native: median(times.native), onnx: median(times.onnx) };
}

/** One token's 8 experts of each of some layers. */
async function experts(available: Kernels, pool: KernelPool, blockSize: BlockSize): Promise<Subject> {
  const quantisation: Quantisation = { bits: 4, blockSize };
  const layout = expertLayout(spec, quantisation);
  const storeDir = tempDir();
  const layers: { native: ExpertLayer; onnx: OnnxSession }[] = [];
  for (let layerIndex = 0; layerIndex < NUM_LAYERS; layerIndex++) {
    for (const id of EXPERT_IDS)
      writeDummyBlob({ storeDir, path: expertBlobPath(layerIndex, id), layout, quantisation, seed: id + 1 });
    const graph = buildExpertShardGraph(spec, quantisation, layerIndex, EXPERT_IDS);
    layers.push({
      native: new ExpertLayer(available, { storeDir, spec, quantisation, layerIndex, expertIds: EXPERT_IDS }),
      onnx: await createOnnxSession(graph, { weightsDir: storeDir, numThreads }),
    });
  }
  const rows = randomFloats(1, spec.hiddenSize);
  const pairRows = new Uint32Array(EXPERT_IDS.length);
  const pairExperts = Uint32Array.from(EXPERT_IDS);
  const pairWeights = new Float32Array(EXPERT_IDS.length).fill(0.125);
  const out = new Float32Array(spec.hiddenSize);
  const gathered = Float32Array.from({ length: EXPERT_IDS.length * rows.length }, (_, i) => rows[i % rows.length] ?? 0);
  const counts = new BigInt64Array(EXPERT_IDS.length).fill(1n);
  return {
    name: `8 experts a layer, block ${String(blockSize)}`,
    weightBytes: NUM_LAYERS * EXPERT_IDS.length * layout.sizeBytes,
    numMacs: 0,
    passes: {
      native: async () => {
        for (const { native } of layers) await native.run(pool, { rows, pairRows, pairExperts, pairWeights, out });
      },
      onnx: async () => {
        for (const { onnx } of layers)
          await onnx.run({
            rows: { type: 'float32', dims: [EXPERT_IDS.length, rows.length], data: gathered },
            counts: { type: 'int64', dims: [counts.length], data: counts },
          });
      },
    },
  };
}

/** Some copies of one projection, for `numRows` rows. */
async function matrix(
  available: Kernels,
  pool: KernelPool,
  name: string,
  out: number,
  numCopies: number,
  numRows: number,
): Promise<Subject> {
  const quantisation: Quantisation = { bits: 4, blockSize: 128 };
  const layout = matrixLayout(out, spec.hiddenSize, 128);
  const storeDir = tempDir();
  const copies: { native: Linear; onnx: OnnxSession }[] = [];
  for (let i = 0; i < numCopies; i++) {
    const path = `matrix-${String(i)}.bin`;
    writeRandomBytes(join(storeDir, path), layout);
    const file = available.mapFile(join(storeDir, path));
    const graph = new GraphBuilder('linear');
    const x = graph.input('x', 'float32', ['rows', spec.hiddenSize]);
    graph.output('y', 'float32', ['rows', out], linearOp(graph, x, { path, layout, quantisation }, 'm'));
    copies.push({
      native: new Linear(available, file.matrix(layout, quantisation, 'm')),
      onnx: await createOnnxSession(graph.build(), { weightsDir: storeDir, numThreads }),
    });
  }
  const x = randomFloats(2, numRows * spec.hiddenSize);
  const y = new Float32Array(numRows * out);
  return {
    name,
    weightBytes: numCopies * layout.sizeBytes,
    numMacs: numCopies * numRows * out * spec.hiddenSize,
    passes: {
      native: async () => {
        for (const { native } of copies) await native.run(pool, x, y);
      },
      onnx: async () => {
        for (const { onnx } of copies)
          await onnx.run({ x: { type: 'float32', dims: [numRows, spec.hiddenSize], data: x } });
      },
    },
  };
}

function matrixLayout(out: number, inFeatures: number, blockSize: number): BlobLayout {
  const numBlocks = inFeatures / blockSize;
  const sizeOfQ = (out * inFeatures) / 2;
  const sizeOfScales = out * numBlocks * 4;
  return {
    tensors: [
      { name: 'm.q', dtype: 'U8', shape: [out, numBlocks, blockSize / 2], offsetBytes: 0, sizeBytes: sizeOfQ },
      { name: 'm.scales', dtype: 'F32', shape: [out, numBlocks], offsetBytes: sizeOfQ, sizeBytes: sizeOfScales },
    ],
    sizeBytes: sizeOfQ + sizeOfScales,
  };
}

/** Weights that repeat every few rows: the arithmetic does not care, and random numbers take long. */
function writeRandomBytes(path: string, layout: BlobLayout): void {
  const file = openSync(path, 'w');
  const some = new Uint8Array(randomFloats(3, 2 ** 16).buffer);
  const scales = new Uint8Array(new Float32Array(2 ** 16).fill(0.01).buffer);
  for (const { dtype, offsetBytes, sizeBytes } of layout.tensors)
    for (let written = 0; written < sizeBytes; written += some.length)
      writeSync(
        file,
        dtype === 'U8' ? some : scales,
        0,
        Math.min(some.length, sizeBytes - written),
        offsetBytes + written,
      );
  closeSync(file);
}
