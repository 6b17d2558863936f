/**
 * What the paged KV cache gives, over the API of `expertmesh up`: requests without max_tokens that run together, steps
 * while one sequence grows, a budget that is too small for all, and computed prefixes that are used again, also after a
 * restart.
 *
 *   npm run build && npx tsx test/bench/kv-cache.ts [together] [growth] [pressure] [prefix] [disk]
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { loadDemoAnswers } from '@expertmesh/test-kit/demo-answers';
import { DEMO_MODEL, Mesh } from '@expertmesh/test-kit/mesh';
import { pause } from '@expertmesh/test-kit/process';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { dummyStore, GEOMETRY_30B, type Geometry } from './harness/dummy-store.js';
import { BENCH_MODEL } from './harness/complete-together.js';
import { OwnCluster } from './harness/own-cluster.js';
import { summarise } from './harness/statistics.js';
import { streamCompletion } from './measures/streamed-completion.js';

const CACHE_DIR = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'expertmesh-bench');
const LOCAL = ['--workers', '0'];
/** 4 layers x 2 heads x 32 x keys and values x 4 bytes x 32 tokens. */
const DEMO_BLOCK_BYTES = 4 * 2 * 32 * 2 * 4 * 32;

const phases: Readonly<Record<string, () => Promise<void>>> = { together, growth, pressure, prefix, disk };
const chosen = process.argv.slice(2);
for (const [name, run] of Object.entries(phases)) if (chosen.length === 0 || chosen.includes(name)) await run();

/** 16 requests without max_tokens, 2 GiB of KV: how many share a step. */
async function together(): Promise<void> {
  const cluster = await start(GEOMETRY_30B, ['--kv-cache-bytes', '2GiB']);
  const abort = new AbortController();
  const streams = Array.from({ length: 16 }, (_, index) =>
    streamCompletion(cluster.url, { prompt: tokens(200, index), ignore_eos: true }, abort.signal).catch(
      () => undefined,
    ),
  );
  await pause(30_000);
  const stats = await rawStats(cluster.url);
  console.log(
    `together: largest batch ${String(stats.maxBatchSize)} of 16 requests, ${String(stats.numRunning)} running`,
  );
  abort.abort();
  await Promise.all(streams);
  await cluster.stop();
}

/**
 * One sequence from 1 to 16,384 tokens: each step against the median of its 32 neighbours. A step that the cache makes
 * long is long in every round, one that the machine was busy in is not: of each, the median of three rounds counts.
 */
async function growth(): Promise<void> {
  const cluster = await start({ preset: 'qwen3-30b-a3b', numLayers: 2 }, []);
  const rounds: (readonly number[])[] = [];
  for (let round = 0; round < 3; round++) {
    const body = { max_tokens: 16_383, ignore_eos: true, temperature: 0 };
    const { gapsMs } = await streamCompletion(cluster.url, { ...body, prompt: [1 + round] });
    rounds.push(gapsMs);
    const above = stretches(gapsMs).filter(({ stretch }) => stretch > 2);
    console.log(`growth, round ${String(round + 1)}: ${String(above.length)} steps above 2`);
  }
  const [first = []] = rounds;
  const medians = stretches(
    first.map((_, index) => summarise(rounds.map((gaps) => gaps[index] ?? NaN))?.median ?? NaN),
  );
  const above = medians.filter(({ stretch }) => stretch > 2).length;
  console.log(`growth: ${String(first.length + 1)} tokens, ${String(above)} steps above 2; the longest:`);
  for (const { index, stretch, gap } of medians.toSorted((a, b) => b.stretch - a.stretch).slice(0, 5))
    console.log(`  token ${String(index + 1)}: ${gap.toFixed(1)} ms, ${stretch.toFixed(2)} times`);
  await cluster.stop();
}

interface Stretch {
  readonly index: number;
  readonly gap: number;
  /** How many times the median of its 32 neighbours. */
  readonly stretch: number;
}

function stretches(gapsMs: readonly number[]): readonly Stretch[] {
  return gapsMs.map((gap, index) => {
    const neighbours = [...gapsMs.slice(Math.max(0, index - 16), index), ...gapsMs.slice(index + 1, index + 17)];
    return { index, gap, stretch: gap / (summarise(neighbours)?.median ?? NaN) };
  });
}

/** The demo model in 32 bits, with a quarter of the KV cache that its answers need: the same tokens as alone. */
async function pressure(): Promise<void> {
  const numTokens = 1024;
  const questions = loadDemoAnswers().slice(0, 16);
  const blocks = (questions.length * numTokens) / 32;
  const flags = ['--kv-cache-bytes', String((blocks / 4) * DEMO_BLOCK_BYTES), '--prefix-cache', 'off'];
  const mesh = await Mesh.start([...LOCAL, ...flags, '--max-model-len', String(numTokens)]);
  const answerTo = async ({ promptTokenIds: prompt }: (typeof questions)[number]): Promise<string> =>
    (await streamCompletion(mesh.url, { model: DEMO_MODEL, prompt, ignore_eos: true, temperature: 0 })).text;
  const alone: string[] = [];
  for (const question of questions) alone.push(await answerTo(question));
  const together = await Promise.all(questions.map(answerTo));
  const numDifferent = together.filter((text, index) => text !== alone[index]).length;
  const { numPreemptions } = await rawStats(mesh.url);
  console.log(`pressure: ${String(blocks)} blocks needed, a quarter there: ${String(numPreemptions)} preemptions`);
  console.log(`  ${String(numDifferent)} of ${String(together.length)} answers differ from those alone`);
  await mesh.up.stop();
}

/** The second turn of a conversation, and 64 requests with one system prompt. */
async function prefix(): Promise<void> {
  const cluster = await start(GEOMETRY_30B, []);
  const ratios: number[] = [];
  for (let round = 0; round < 3; round++) {
    const [first, second] = await twoTurns(cluster.url, tokens(4_096, 10_000 + round));
    ratios.push(second / first);
    console.log(
      `prefix: first turn ${first.toFixed(0)} ms, second ${second.toFixed(0)} ms, ${(second / first).toFixed(3)}`,
    );
  }
  const before = await rawStats(cluster.url);
  const system = tokens(2_000, 20_000);
  const many = await Promise.all(
    Array.from({ length: 64 }, (_, index) =>
      streamCompletion(cluster.url, { prompt: [...system, ...tokens(8, index)], max_tokens: 2, ignore_eos: true }),
    ),
  );
  const after = await rawStats(cluster.url);
  const computed = after.numPromptTokens - before.numPromptTokens;
  console.log(`prefix: 64 requests of ${String(system.length + 8)} tokens computed ${String(computed)} prompt tokens`);
  console.log(
    `  ${String(many.filter(({ numCachedTokens }) => numCachedTokens > 0).length)} of them used computed ones`,
  );
  await cluster.stop();
}

/** The second turn again, after a restart, with the blocks on disk. */
async function disk(): Promise<void> {
  const flags = ['--kv-cache-disk', `${tempDir()}:8GB`];
  const prompt = tokens(4_096, 30_000);
  const before = await start(GEOMETRY_30B, flags);
  const { firstMs } = await streamCompletion(before.url, { prompt, max_tokens: 8, ignore_eos: true });
  await before.stop();
  const after = await start(GEOMETRY_30B, flags);
  await streamCompletion(after.url, { prompt: tokens(64, 40_000), max_tokens: 8, ignore_eos: true });
  const again = await streamCompletion(after.url, { prompt: [...prompt, 5], max_tokens: 8, ignore_eos: true });
  console.log(
    `disk: ${firstMs.toFixed(0)} ms, after a restart ${again.firstMs.toFixed(0)} ms, ` +
      (again.firstMs / firstMs).toFixed(3),
  );
  console.log(`  ${String(again.numCachedTokens)} tokens came from disk`);
  await after.stop();
}

async function twoTurns(url: string, prompt: readonly number[]): Promise<[number, number]> {
  const body = { max_tokens: 32, ignore_eos: true, temperature: 0 };
  const first = await streamCompletion(url, { ...body, prompt });
  const second = await streamCompletion(url, { ...body, prompt: [...prompt, ...tokens(32, 1)] });
  return [first.firstMs, second.firstMs];
}

async function start(geometry: Geometry, flags: readonly string[]): Promise<OwnCluster> {
  const store = await dummyStore(CACHE_DIR, geometry);
  return OwnCluster.start({ name: BENCH_MODEL, storeDir: store.dir, flags: [...LOCAL, ...flags] });
}

/** Token ids that depend on the seed and are spread over the vocabulary. */
function tokens(count: number, seed: number): number[] {
  return Array.from({ length: count }, (_, index) => ((seed + 1) * 7_919 + index * 104_729) % 150_000);
}

interface RawStats {
  readonly numRunning: number;
  readonly maxBatchSize: number;
  readonly numPromptTokens: number;
  readonly numPreemptions: number;
}

async function rawStats(url: string): Promise<RawStats> {
  await pause(200);
  return ((await (await fetch(`${url}/admin/v1/stats`)).json()) as { engine: RawStats }).engine;
}
