/**
 * The benchmark: `npm run bench`. Measures Expertmesh, llama.cpp and ik_llama.cpp beside it, and the machine itself, in
 * one run; prints tables or JSON and draws a plot of the time per layer. See docs/performance.md.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { loadKernels } from '@expertmesh/kernels/kernels';
import { benchStore, type BenchContext } from './harness/bench-context.js';
import { LAYER_STAGES, type LayerStage } from './harness/bench-stats.js';
import { parseBenchOptions, USAGE, type BenchOptions } from './harness/bench-options.js';
import { dummyStore, GEOMETRY_235B, GEOMETRY_30B } from './harness/dummy-store.js';
import { type Prediction } from './harness/prediction.js';
import { Samples } from './harness/samples.js';
import { evaluateTargets } from './harness/targets.js';
import { MachineLimits } from './limits/machine-limits.js';
import { runContextPhase } from './phases/context.js';
import { runDelayPhase } from './phases/delay.js';
import { runFourWorkersPhase } from './phases/four-workers.js';
import { runLargeGeometryPhase } from './phases/large-geometry.js';
import { runOneBoxPhase } from './phases/one-box.js';
import { runReadyPhase } from './phases/ready.js';
import { LAYER_CONFIGURATIONS } from './report/figure-rows.js';
import { figuresOf, machineDescription, type JsonReport } from './report/json-report.js';
import { predictionReport, predictWholeModel } from './report/predictions.js';
import { stagePlot } from './report/stage-plot.js';
import { textReport } from './report/text-report.js';

const EXIT_INTERRUPTED = 130;

// Whatever is running is ended when the process exits, which a signal alone would not make it do in an orderly way.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(EXIT_INTERRUPTED));
const options = parseOptions();
if (options !== undefined) await bench(options);

async function bench(options: BenchOptions): Promise<void> {
  mkdirSync(options.cacheDir, { recursive: true });
  const say = (line: string): void => {
    process.stderr.write(`${line}\n`);
  };
  const limits = await MachineLimits.start(options.numThreads);
  const context: BenchContext = { options, samples: new Samples(), reasons: new Map(), limits, say };
  if (options.isQuick) context.reasons.set('one.stall', 'it takes too long for --quick');
  say(`dummy stores are in ${options.cacheDir}; they are written the first time`);
  const small = benchStore(await dummyStore(options.cacheDir, GEOMETRY_30B));
  const predictions: Prediction[] = [];
  await attempt(context, ['one', 'peer'], () => runOneBoxPhase(context, small));
  await attempt(context, ['four'], () => runFourWorkersPhase(context, small));
  await attempt(context, ['one.load'], () => runReadyPhase(context, small));
  await attempt(context, ['large'], async () => {
    predictions.push(...(await runLarge(context)));
  });
  await attempt(context, ['delay'], () => runDelayPhase(context, small));
  await attempt(context, ['context'], () => runContextPhase(context, small));
  limits.stop();
  print(context, predictions);
}

/** A phase that fails costs its own figures and no others; `measures` are the beginnings of their names. */
async function attempt(
  { reasons, say }: BenchContext,
  measures: readonly string[],
  run: () => Promise<void>,
): Promise<void> {
  try {
    await run();
  } catch (thrown) {
    const { message } = thrown as Error;
    say(`failed: ${message}`);
    for (const measure of measures) reasons.set(measure, `failed: ${message.split('\n')[0] ?? ''}`);
    process.exitCode = 1;
  }
}

async function runLarge(context: BenchContext): Promise<Prediction[]> {
  if (!context.options.measures.has('large')) return [];
  const large = benchStore(await dummyStore(context.options.cacheDir, GEOMETRY_235B));
  await runLargeGeometryPhase(context, large);
  return predictWholeModel(context.samples, large.store.spec);
}

function print({ options, samples, reasons, say }: BenchContext, predictions: readonly Prediction[]): void {
  const isa = options.isa === 'auto' ? (loadKernels()?.isas[0] ?? 'none') : options.isa;
  const targets = evaluateTargets(samples, reasons, isa);
  if (plot(samples, options.plotFile)) say(`time per layer stage: ${options.plotFile}`);
  if (!options.asJson) {
    console.log(textReport(samples, targets));
    if (predictions.length > 0) console.log(predictionReport(predictions));
    return;
  }
  const { isQuick, numRounds, numThreads, upFlags } = options;
  const report: JsonReport = {
    targets,
    figures: figuresOf(samples),
    predictions,
    machine: machineDescription(),
    settings: { isQuick, numRounds, numThreads, isa, upFlags },
  };
  console.log(JSON.stringify(report, undefined, 2));
}

/** @returns whether there was anything to draw. */
function plot(samples: Samples, file: string): boolean {
  const bars = LAYER_CONFIGURATIONS.flatMap(({ title, name }) => {
    const median = (stage: LayerStage): number | undefined => samples.summary(`${name}.${stage}`)?.median;
    if (median('dense') === undefined) return [];
    const stages = LAYER_STAGES.map((stage) => [stage, median(stage) ?? 0] as const);
    return [{ title, stagesMs: Object.fromEntries(stages) as Record<LayerStage, number> }];
  });
  if (bars.length === 0) return false;
  writeFileSync(file, stagePlot('Mean time of a layer by stage, decoding', bars));
  return true;
}

function parseOptions(): BenchOptions | undefined {
  try {
    const parsed = parseBenchOptions(process.argv.slice(2));
    if (parsed !== 'help') return parsed;
    console.log(USAGE);
  } catch (thrown) {
    console.error(`${(thrown as Error).message}\n\n${USAGE}`);
    process.exitCode = 2;
  }
  return undefined;
}
