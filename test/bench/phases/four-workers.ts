import { PromptMaker, sampleLimits, type BenchContext, type BenchStore } from '../harness/bench-context.js';
import { type MeasureName } from '../harness/bench-options.js';
import { OwnCluster } from '../harness/own-cluster.js';
import { measureDecode } from '../measures/decode.js';
import { measureMemory } from '../measures/memory.js';
import { measureWire } from '../measures/wire.js';
import { commonFlags } from './own-flags.js';
import { runRounds, sequences } from './rounds.js';

const PHASE_INDEX = 2;
const MEASURES: readonly MeasureName[] = ['workers', 'wire', 'layers', 'memory'];
const MAX_MODEL_LEN = 1024;
const WARM_UP_TOKENS = 256;

/**
 * Four worker processes and one, in turns: what splitting costs where it gains nothing. Rows travel as fp16 between the
 * four.
 */
export async function runFourWorkersPhase(context: BenchContext, store: BenchStore): Promise<void> {
  const { options } = context;
  if (!MEASURES.some((name) => options.measures.has(name))) return;
  const prompts = new PromptMaker(store.store.spec.vocabSize - 1024);
  const common = commonFlags(options, MAX_MODEL_LEN);
  const storeDir = store.store.dir;
  context.say('starting clusters of 1 and of 4 workers');
  const one = await OwnCluster.start({
    name: 'one',
    storeDir,
    flags: ['--workers', '1', ...common],
  });
  const fourFlags = ['--workers', '4', '--wire-dtype', 'fp16', ...common];
  const four = await OwnCluster.start({ name: 'four', storeDir, flags: fourFlags });
  try {
    for (const cluster of [one, four]) await cluster.generate(prompts.prompts(1, WARM_UP_TOKENS), 2);
    await runRounds(context, PHASE_INDEX, [
      { title: "this machine's limits", run: (round) => sampleLimits(context, store, 'limit', round) },
      { title: 'one: decode, 1 sequence', run: (round) => measureDecode(context, one, prompts, 1, round) },
      ...([1, 16] as const).map((batchSize) => ({
        title: `four: decode, ${sequences(batchSize)}`,
        run: (round: number) => measureDecode(context, four, prompts, batchSize, round),
      })),
      { title: 'four: bytes on the wire', run: (round) => measureWire(context, four, store, prompts, round) },
      { title: 'four: memory', run: (round) => measureMemory(context, four, store, round) },
    ]);
  } finally {
    await four.stop();
    await one.stop();
  }
}
