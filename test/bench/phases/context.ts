import { PromptMaker, sampleLimits, type BenchContext, type BenchStore } from '../harness/bench-context.js';
import { OwnCluster } from '../harness/own-cluster.js';
import { summarise } from '../harness/statistics.js';
import { type Subject } from '../harness/subject.js';
import { addBestPeer, startPeers, stopPeers } from '../peers/start-peers.js';
import { commonFlags } from './own-flags.js';
import { runRounds, type Step } from './rounds.js';

const PHASE_INDEX = 7;
const CONTEXTS = [4096, 16_384] as const;
const NUM_TOKENS = 33;
const MAX_MODEL_LEN = Math.max(...CONTEXTS) + 256;
const WARM_UP_TOKENS = 256;

/**
 * Decode of one sequence behind a long prompt, on local experts and on the peers, which keep keys and values in fp16.
 */
export async function runContextPhase(context: BenchContext, store: BenchStore): Promise<void> {
  const { options } = context;
  if (!options.measures.has('context')) return;
  const prompts = new PromptMaker(store.store.spec.vocabSize - 1024);
  context.say('starting a coordinator with local experts');
  const own = await OwnCluster.start({
    name: 'own',
    storeDir: store.store.dir,
    flags: ['--workers', '0', ...commonFlags(options, MAX_MODEL_LEN)],
  });
  const peers = await startPeers(context, { maxSequences: 1, contextSize: MAX_MODEL_LEN });
  try {
    for (const subject of [own, ...peers]) await subject.generate(prompts.prompts(1, WARM_UP_TOKENS), 2);
    await runRounds(context, PHASE_INDEX, [
      { title: "this machine's limits", run: (round) => sampleLimits(context, store, 'limit', round) },
      ...CONTEXTS.flatMap((numTokens) => [own, ...peers].map((subject) => step(context, subject, prompts, numTokens))),
    ]);
    addBestPeer(context.samples, 'context.', peers);
  } finally {
    await stopPeers(peers);
    await own.stop();
  }
}

function step({ samples }: BenchContext, subject: Subject, prompts: PromptMaker, numTokens: number): Step {
  const run = async (round: number): Promise<void> => {
    const [arrivals = []] = await subject.generate(prompts.prompts(1, numTokens), NUM_TOKENS);
    samples.add(
      `context.${subject.name}.prefill.${String(numTokens)}`,
      round,
      (1000 * numTokens) / (arrivals[0] ?? NaN),
    );
    const gaps = summarise(arrivals.slice(1).map((timeMs, index) => timeMs - (arrivals[index] ?? NaN)));
    samples.add(`context.${subject.name}.${String(numTokens)}`, round, 1000 / (gaps?.median ?? NaN));
  };
  const isOnce = numTokens > 4096;
  return { title: `${subject.name}: decode behind ${String(numTokens)} tokens`, isOnce, run };
}
