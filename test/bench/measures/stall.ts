import { quantile } from 'expertmesh/bench/quantiles';
import { type BenchContext, type PromptMaker } from '../harness/bench-context.js';
import { greedy } from '../harness/complete-together.js';
import { type OwnCluster } from '../harness/own-cluster.js';

/** Tokens of the running answer before the long prompt comes: what is quiet. */
const NUM_QUIET_TOKENS = 48;
/** The answer goes on until it is aborted. */
const MAX_TOKENS = 4096;

/** How long the tokens of a running answer take while another request's long prompt is computed. */
export async function measureStall(
  { samples }: BenchContext,
  cluster: OwnCluster,
  prompts: PromptMaker,
  numPromptTokens: number,
  round: number,
): Promise<void> {
  const end = new AbortController();
  const timesMs: number[] = [];
  const answer = follow(cluster, prompts, timesMs, end.signal);
  while (timesMs.length < NUM_QUIET_TOKENS)
    await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 5))]);
  const promptStartMs = performance.now();
  const [arrivals] = await cluster.generate(prompts.prompts(1, numPromptTokens), 1);
  const promptEndMs = promptStartMs + (arrivals?.[0] ?? NaN);
  end.abort();
  await answer;
  const gapsMs = timesMs.slice(1).map((timeMs, index) => ({ timeMs, gapMs: timeMs - (timesMs[index] ?? timeMs) }));
  const quiet = gapsMs.filter(({ timeMs }) => timeMs <= promptStartMs);
  const busy = gapsMs.filter(({ timeMs }) => timeMs > promptStartMs && timeMs <= promptEndMs);
  // An answer that got no token at all stood still all the time.
  const p99 =
    quantile(
      busy.map(({ gapMs }) => gapMs),
      0.99,
    ) ?? promptEndMs - promptStartMs;
  samples.add(
    `${cluster.name}.stall.quiet`,
    round,
    quantile(
      quiet.map(({ gapMs }) => gapMs),
      0.5,
    ) ?? NaN,
  );
  samples.add(`${cluster.name}.stall.p99`, round, p99);
}

/** Notes when each token of an answer comes, until the signal. */
async function follow(
  cluster: OwnCluster,
  prompts: PromptMaker,
  timesMs: number[],
  signal: AbortSignal,
): Promise<void> {
  const [prompt] = prompts.prompts(1, 1);
  try {
    for await (const _ of cluster.client.complete(greedy(prompt ?? [0], MAX_TOKENS), signal))
      timesMs.push(performance.now());
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
  }
}
