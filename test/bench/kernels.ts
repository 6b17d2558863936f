/**
 * How fast the native kernels are by rows, with each instruction set of this CPU, against the rate at which memory is
 * read, the products that the set allows, and ONNX Runtime: `npx tsx test/bench/kernels.ts --help`.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type KernelPool } from '@expertmesh/kernels/kernel-pool';
import { loadKernels, whyNoKernels, type Kernels } from '@expertmesh/kernels/kernels';
import { type Quantisation } from '@expertmesh/shared/expert-store/quantisation';
import { PRESET_CONFIGS } from '@expertmesh/shared/expert-store/synth/presets';
import { parseModelSpec } from '@expertmesh/shared/model/model-spec';
import { expertsSubject, linearSubject, type KernelSubject } from './kernels/subjects.js';
import { ratePlot, type RateLine } from './report/rate-plot.js';
import { formatNumber, table } from './report/text-report.js';

const USAGE = `npx tsx test/bench/kernels.ts [options]

Products of weights with rows, geometry of Qwen3-30B-A3B: GMAC/s and GB/s of weights, and what that is of what the
threads make with operands in the nearest cache, and of what they read from memory.

--threads N     threads that compute (2)
--isa NAME      instruction set (may be given several times; all that this CPU has, but portable)
--rows LIST     rows (1,2,4,8,16,32,64,256,1024)
--only TEXT     measure only what has this in its name: "cache", "memory", "experts", "4 bits in blocks of 32", ...
--rounds N      of each measure, of which the median counts (7)
--onnx          ONNX Runtime beside the best instruction set
--plot FILE     an SVG of GMAC/s over rows; the name of the instruction set is put before its ending
`;
const QUANTISATIONS: readonly Quantisation[] = [
  { bits: 4, blockSize: 32 },
  { bits: 4, blockSize: 64 },
  { bits: 4, blockSize: 128 },
  { bits: 8, blockSize: 32 },
  { bits: 8, blockSize: 128 },
  { bits: 32 },
];
/** More than caches hold. */
const MEMORY_BYTES = 2 ** 29;
/** Fits the second cache of a core with all of these. */
const CACHED_ROWS = 512;
const QKV_ROWS = 5120;
/** So many layers of 8 experts are more than caches hold. */
const NUM_LAYERS = 24;
/** Below this a pass is repeated: clocks and threads have their grain. */
const MIN_MEASURE_MS = 3;

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    threads: { type: 'string', default: '2' },
    isa: { type: 'string', multiple: true, default: [] },
    rows: { type: 'string', default: '1,2,4,8,16,32,64,256,1024' },
    only: { type: 'string', default: '' },
    rounds: { type: 'string', default: '7' },
    onnx: { type: 'boolean', default: false },
    plot: { type: 'string' },
  },
});
const numThreads = Number(values.threads);
const rowCounts = values.rows.split(',').map(Number);
const numRounds = Number(values.rounds);
const spec = parseModelSpec(PRESET_CONFIGS['qwen3-30b-a3b']);

const kernels = loadKernels();
if (values.help) console.log(USAGE);
else if (kernels === undefined) {
  console.error(whyNoKernels());
  process.exitCode = 1;
} else await measureAll(kernels);

async function measureAll(available: Kernels): Promise<void> {
  const isas = available.isas.filter((isa) =>
    values.isa.length === 0 ? isa !== 'portable' || available.isas.length === 1 : values.isa.includes(isa),
  );
  const pools = isas.map((isa) => available.createPool({ numThreads, isa }));
  const lines = new Map<KernelPool, RateLine[]>(pools.map((pool) => [pool, []]));
  for (const makeSubject of subjects(available)) {
    const subject = makeSubject();
    for (const pool of pools) lines.get(pool)?.push(await measureSubject(subject, pool, pool === pools[0]));
  }
  for (const pool of pools) {
    await pool.close();
    if (values.plot === undefined) continue;
    const file = values.plot.replace(/(\.svg)?$/, `-${pool.isa}.svg`);
    const heading = `${pool.isa}, ${String(numThreads)} threads`;
    writeFileSync(file, ratePlot(heading, 'GMAC/s', lines.get(pool) ?? []));
    console.error(`plot: ${file}`);
  }
}

/** Made one by one, as each writes its weights. */
function subjects(available: Kernels): (() => KernelSubject)[] {
  const inFeatures = spec.hiddenSize;
  const named: [title: string, make: (title: string) => KernelSubject][] = QUANTISATIONS.flatMap((quantisation) => {
    const name = nameOf(quantisation);
    const matrixBytes = (QKV_ROWS * inFeatures * quantisation.bits) / 8;
    const count = Math.ceil(MEMORY_BYTES / matrixBytes);
    return [
      [
        `${name}, cache`,
        (title) => linearSubject(available, quantisation, { title, outFeatures: CACHED_ROWS, inFeatures, count: 1 }),
      ],
      [
        `${name}, memory`,
        (title) => linearSubject(available, quantisation, { title, outFeatures: QKV_ROWS, inFeatures, count }),
      ],
    ];
  });
  named.push([
    '8 experts a layer, 4 bits in blocks of 128, memory',
    (title) => expertsSubject(available, spec, { bits: 4, blockSize: 128 }, { title, numLayers: NUM_LAYERS }),
  ]);
  return named
    .filter(([title]) => title.includes(values.only))
    .map(
      ([title, make]) =>
        () =>
          make(title),
    );
}

function nameOf(quantisation: Quantisation): string {
  if (!('blockSize' in quantisation)) return `${String(quantisation.bits)} bits`;
  return `${String(quantisation.bits)} bits in blocks of ${String(quantisation.blockSize)}`;
}

async function measureSubject(subject: KernelSubject, pool: KernelPool, isBest: boolean): Promise<RateLine> {
  const points: [rows: number, rate: number][] = [];
  const cells: string[][] = [];
  for (const numRows of rowCounts) {
    // Beside each measure, as the machine's speed changes.
    const peak = await pool.productPeak();
    const readRate = await pool.readBandwidth(2 ** 28);
    const run = subject.native(numRows);
    const seconds = await medianSeconds(() => run(pool));
    const products = (subject.numProducts * numRows) / seconds;
    const bytes = subject.weightBytes / seconds;
    const onnx = values.onnx && isBest ? await medianSeconds(await subject.onnx(numRows, numThreads)) : undefined;
    points.push([numRows, products / 1e9]);
    cells.push([
      String(numRows),
      formatNumber(products / 1e9),
      percent(products / peak),
      formatNumber(bytes / 1e9),
      percent(bytes / readRate),
      onnx === undefined ? '' : (onnx / seconds).toFixed(2),
    ]);
  }
  const headings = ['rows', 'GMAC/s', 'of the set', 'GB/s', 'of memory', values.onnx ? 'of ONNX Runtime' : ''];
  console.log(`${pool.isa}: ${subject.title}, ${String(numThreads)} threads\n${table([headings, ...cells], 0)}`);
  return { title: subject.title, points };
}

function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(0)} %`;
}

async function medianSeconds(run: () => Promise<void>): Promise<number> {
  const firstMs = await timeMs(run, 1);
  const numPasses = Math.max(1, Math.ceil(MIN_MEASURE_MS / firstMs));
  const times: number[] = [];
  for (let round = 0; round < numRounds; round++) times.push((await timeMs(run, numPasses)) / numPasses);
  return (times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? NaN) / 1000;
}

async function timeMs(run: () => Promise<void>, numPasses: number): Promise<number> {
  const startedAt = performance.now();
  for (let pass = 0; pass < numPasses; pass++) await run();
  return performance.now() - startedAt;
}
