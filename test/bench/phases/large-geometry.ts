import { PromptMaker, sampleLimits, type BenchContext, type BenchStore } from '../harness/bench-context.js';
import { OwnCluster } from '../harness/own-cluster.js';
import { measureDecode } from '../measures/decode.js';
import { commonFlags } from './own-flags.js';
import { runRounds, sequences } from './rounds.js';

const PHASE_INDEX = 4;
const MAX_MODEL_LEN = 1024;
const WARM_UP_TOKENS = 256;

/** Two layers of 235B geometry on one worker: what a layer of the large model costs on a box like this one. */
export async function runLargeGeometryPhase(context: BenchContext, store: BenchStore): Promise<void> {
  const { options } = context;
  const prompts = new PromptMaker(store.store.spec.vocabSize - 1024);
  context.say('starting a cluster with layers of 235B geometry');
  const large = await OwnCluster.start({
    name: 'large',
    storeDir: store.store.dir,
    flags: ['--workers', '1', ...commonFlags(options, MAX_MODEL_LEN)],
  });
  try {
    await large.generate(prompts.prompts(1, WARM_UP_TOKENS), 2);
    await runRounds(context, PHASE_INDEX, [
      { title: "this machine's limits", run: (round) => sampleLimits(context, store, 'limit.large', round) },
      ...([1, 16] as const).map((batchSize) => ({
        title: `235B geometry: decode, ${sequences(batchSize)}`,
        run: (round: number) => measureDecode(context, large, prompts, batchSize, round),
      })),
    ]);
  } finally {
    await large.stop();
  }
}
