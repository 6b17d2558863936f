import {
  BATCH_SIZES,
  PromptMaker,
  sampleLimits,
  type BenchContext,
  type BenchStore,
} from '../harness/bench-context.js';
import { type MeasureName } from '../harness/bench-options.js';
import { memoryOf, OwnCluster } from '../harness/own-cluster.js';
import { type Subject } from '../harness/subject.js';
import { measureDecode } from '../measures/decode.js';
import { measureMemory } from '../measures/memory.js';
import { measureFirstToken, measurePrefill } from '../measures/prefill.js';
import { measureStall } from '../measures/stall.js';
import { addBestPeer, startPeers, stopPeers } from '../peers/start-peers.js';
import { type PeerProcess } from '../peers/peer-process.js';
import { commonFlags } from './own-flags.js';
import { runRounds, sequences, type Step } from './rounds.js';

const PHASE_INDEX = 1;
const MEASURES: readonly MeasureName[] = ['decode', 'prefill', 'first-token', 'stall', 'memory'];
const PREFILL_TOKENS = [256, 1024] as const;
const FIRST_TOKEN_PROMPT = 32;
const STALL_PROMPT = 4096;
const MAX_MODEL_LEN = STALL_PROMPT + 4096;
const WARM_UP_TOKENS = 256;

/** A coordinator with local experts, one with a worker, and the peers beside them, measured in turns. */
export async function runOneBoxPhase(context: BenchContext, store: BenchStore): Promise<void> {
  const { options } = context;
  if (!MEASURES.some((name) => options.measures.has(name))) return;
  const prompts = new PromptMaker(store.store.spec.vocabSize - 1024);
  const start = (name: string, numWorkers: string): Promise<OwnCluster> =>
    OwnCluster.start({
      name,
      storeDir: store.store.dir,
      flags: ['--workers', numWorkers, ...commonFlags(options, MAX_MODEL_LEN)],
    });
  context.say('starting a coordinator with local experts, and another one with 1 worker');
  const local = await start('local', '0');
  const one = await start('one', '1');
  const peers = await startPeers(context, {
    maxSequences: Math.max(...BATCH_SIZES),
    contextSize: Math.max(...PREFILL_TOKENS) + 64,
  });
  try {
    const subjects = [local, one, ...peers];
    for (const subject of subjects) await subject.generate(prompts.prompts(1, WARM_UP_TOKENS), 2);
    await runRounds(context, PHASE_INDEX, [
      { title: "this machine's limits", run: (round) => sampleLimits(context, store, 'limit', round) },
      ...stepsOf(context, subjects, prompts),
      ...stallStep(context, one, prompts),
      ...memoryStep(context, one, store, peers),
    ]);
    addBestPeer(context.samples, '', peers);
  } finally {
    await stopPeers(peers);
    await one.stop();
    await local.stop();
  }
}

function stepsOf(context: BenchContext, subjects: readonly Subject[], prompts: PromptMaker): Step[] {
  const { measures, isQuick } = context.options;
  const forBoth = (title: string, run: (subject: Subject, round: number) => Promise<void>, isOnce = false): Step[] =>
    subjects.map((subject) => ({ title: `${subject.name}: ${title}`, isOnce, run: (round) => run(subject, round) }));
  const decode = BATCH_SIZES.flatMap((batchSize) =>
    forBoth(`decode, ${sequences(batchSize)}`, (subject, round) =>
      measureDecode(context, subject, prompts, batchSize, round),
    ),
  );
  const prefill = PREFILL_TOKENS.flatMap((numTokens) =>
    forBoth(
      `prefill, ${String(numTokens)} tokens`,
      (subject, round) => measurePrefill(context, subject, prompts, numTokens, round),
      isQuick && numTokens > 256,
    ),
  );
  const firstToken = forBoth('first token', (subject, round) =>
    measureFirstToken(context, subject, prompts, FIRST_TOKEN_PROMPT, round),
  );
  return [
    ...(measures.has('decode') ? decode : []),
    ...(measures.has('prefill') ? prefill : []),
    ...(measures.has('first-token') ? firstToken : []),
  ];
}

function stallStep(context: BenchContext, one: OwnCluster, prompts: PromptMaker): Step[] {
  if (!context.options.measures.has('stall')) return [];
  const run = (round: number): Promise<void> => measureStall(context, one, prompts, STALL_PROMPT, round);
  return [{ title: 'one: tokens during a long prompt', run }];
}

function memoryStep(context: BenchContext, one: OwnCluster, store: BenchStore, peers: readonly PeerProcess[]): Step[] {
  if (!context.options.measures.has('memory')) return [];
  const run = (round: number): void => {
    measureMemory(context, one, store, round);
    for (const { name, pid } of peers) context.samples.add(`${name}.memory`, round, memoryOf(pid).residentBytes / 1e9);
  };
  return [{ title: 'memory', run }];
}
