import { askTasks, COPY_TASKS, FRESH_TASKS, type AnsweredTask } from '../delay/copy-tasks.js';
import { DelayedCluster } from '../delay/delayed-cluster.js';
import { packedDemoModel } from '../delay/packed-demo.js';
import { PromptMaker, type BenchContext, type BenchStore } from '../harness/bench-context.js';
import { completeTogether } from '../harness/complete-together.js';
import { tokensPerSecond } from '../harness/token-rate.js';
import { hasFlag } from './own-flags.js';
import { runRounds, type Step } from './rounds.js';

const BATCHES_PHASE_INDEX = 5;
const LOOKUP_PHASE_INDEX = 6;
const DELAYS_MS = [0.25, 0.5, 2] as const;
const DELAYS_MS_QUICK = [0.5] as const;
const NUM_SEQUENCES = 16;
const NUM_TOKENS = 24;
const NUM_TOKENS_QUICK = 12;
const COMMON_FLAGS = ['--kv-cache-bytes', '512MiB', '--max-model-len', '1024'];

/**
 * What overlap and prompt lookup gain where the wire between coordinator and worker has a delay. One worker, one thread
 * on each side.
 */
export async function runDelayPhase(context: BenchContext, store: BenchStore): Promise<void> {
  if (!context.options.measures.has('delay')) return;
  const { reasons } = context;
  if (hasFlag('coordinator', '--micro-batches')) await compareMicroBatches(context, store);
  else reasons.set('delay.0.5.batches', 'this build has no --micro-batches');
  if (hasFlag('coordinator', '--speculative')) await comparePromptLookup(context);
  else reasons.set('delay.0.5.lookup', 'this build has no --speculative');
}

async function compareMicroBatches(context: BenchContext, { store }: BenchStore): Promise<void> {
  const { samples, options, say } = context;
  say('starting coordinators with 1 and 2 micro-batches');
  const flags = (numBatches: string): string[] => [
    ...COMMON_FLAGS,
    '--micro-batches',
    numBatches,
    '--speculative',
    'off',
  ];
  const coordinators = { '1': flags('1'), '2': flags('2') };
  const cluster = await DelayedCluster.start({ store, numWorkers: 1, coordinators, say });
  const prompts = new PromptMaker(store.spec.vocabSize - 1024);
  const numTokens = options.isQuick ? NUM_TOKENS_QUICK : NUM_TOKENS;
  const steps = stepsForEachDelay(
    context,
    cluster,
    Object.keys(coordinators),
    'micro-batches',
    async (name, measure, round) => {
      const arrivals = await completeTogether(cluster.client(name), prompts.prompts(NUM_SEQUENCES, 1), numTokens);
      samples.add(`${measure}.batches.${name}`, round, tokensPerSecond(arrivals));
    },
  );
  try {
    await runRounds(context, BATCHES_PHASE_INDEX, steps);
  } finally {
    await cluster.stop();
  }
}

async function comparePromptLookup(context: BenchContext): Promise<void> {
  const { samples, options, say } = context;
  say('starting coordinators with and without prompt lookup');
  const store = await packedDemoModel(options.cacheDir);
  const flags = (mode: string): string[] => [...COMMON_FLAGS, '--micro-batches', '1', '--speculative', mode];
  const coordinators = { off: flags('off'), on: flags('prompt-lookup') };
  const cluster = await DelayedCluster.start({ store, numWorkers: 1, coordinators, say });
  try {
    const tasks = await askTasks(cluster.url('off'), COPY_TASKS);
    const answers = await askTasks(cluster.url('on'), COPY_TASKS);
    const numIdentical = tasks.filter(({ answer }, index) => answer === answers[index]?.answer).length;
    const freshTasks = await askTasks(cluster.url('off'), FRESH_TASKS);
    const steps = stepsForEachDelay(
      context,
      cluster,
      Object.keys(coordinators),
      'prompt lookup',
      async (name, measure, round) => {
        samples.add(`${measure}.lookup.${name}`, round, await answerRate(cluster, name, tasks));
        samples.add(`${measure}.fresh.${name}`, round, await answerRate(cluster, name, freshTasks));
        samples.add(`${measure}.lookup.identical`, round, numIdentical / tasks.length);
      },
    );
    await runRounds(context, LOOKUP_PHASE_INDEX, steps);
  } finally {
    await cluster.stop();
  }
}

/** Every coordinator at every delay; `run` gets the coordinator's name and the beginning of the measure's. */
function stepsForEachDelay(
  { options }: BenchContext,
  cluster: DelayedCluster,
  coordinators: readonly string[],
  title: string,
  run: (name: string, measure: string, round: number) => Promise<void>,
): Step[] {
  const delaysMs = options.isQuick ? DELAYS_MS_QUICK : DELAYS_MS;
  return delaysMs.flatMap((delayMs) =>
    coordinators.map((name) => ({
      title: `${String(delayMs)} ms one way, ${title}: ${name}`,
      run: async (round: number) => {
        await cluster.setDelay(delayMs);
        await run(name, `delay.${String(delayMs)}`, round);
      },
    })),
  );
}

/** Tokens a second between the first and the last token of each answer, all answers one after another. */
async function answerRate(cluster: DelayedCluster, name: string, tasks: readonly AnsweredTask[]): Promise<number> {
  let numTokens = 0;
  let elapsedMs = 0;
  for (const { promptTokenIds, numAnswerTokens } of tasks) {
    const [timesMs = []] = await completeTogether(cluster.client(name), [promptTokenIds], numAnswerTokens);
    const [firstMs = NaN] = timesMs;
    numTokens += timesMs.filter((timeMs) => timeMs > firstMs).length;
    elapsedMs += (timesMs.at(-1) ?? NaN) - firstMs;
  }
  return (1000 * numTokens) / elapsedMs;
}
