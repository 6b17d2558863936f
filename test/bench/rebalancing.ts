/**
 * What automatic rebalancing does for the demo model when the text turns from one domain to another: balancedness
 * before and after, measured on questions that no placement was fitted to, and what answers feel of the moves.
 *
 *   npm run build && npx tsx test/bench/rebalancing.ts
 *
 * --redundant-experts A,B,...  replicas of a layer beyond the first of every expert, one cluster each (0,8,16)
 * --domains A,B,...            in this order (arithmetic,chinese,code,mixed)
 * --cache-dir DIR              where the packed model is kept (the system's directory for temporary files)
 */
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { balancedness } from '@expertmesh/shared/placement/balance-measures';
import { quantile } from 'expertmesh/bench/quantiles';
import { BalanceWatch, type WatchedMove, type WatchedWindow } from './balance/balance-watch.js';
import { DemoCluster } from './balance/demo-cluster.js';
import { DOMAINS, type Domain, type Half } from './balance/demo-domains.js';
import { DomainLoad, type TokenGap } from './balance/domain-load.js';
import { packedDemoModel } from './delay/packed-demo.js';
import { print } from './harness/print.js';

const NUM_WORKERS = 8;
const NUM_CLIENTS = 16;
const WINDOW_ROWS = 1_000;
const THRESHOLD = 0.9;
const COOLDOWN_MS = 30_000;
/** Rows of a domain before the change that counts, so that it was planned from this domain. */
const MIN_FIT_ROWS = 12_000;
/** A domain that leaves the workers even so long needs no change. */
const NUM_EVEN_WINDOWS = 8;
const MAX_FIT_MS = 90_000;
/** Ends within the cool-down, so that nothing is fitted to the rows that are measured. */
const TEST_ROWS = 7_500;
const FLAGS = ['--rebalance', 'auto', '--rebalance-threshold', String(THRESHOLD)].concat([
  ...['--rebalance-cooldown-ms', String(COOLDOWN_MS)],
]);

const { values: flags } = parseArgs({
  options: {
    'redundant-experts': { type: 'string', default: '0,8,16' },
    domains: { type: 'string', default: DOMAINS.join(',') },
    'cache-dir': { type: 'string', default: tmpdir() },
  },
});
const domains = DOMAINS.filter((domain) => flags.domains.split(',').includes(domain));
const store = await packedDemoModel(flags['cache-dir']);

print(`${String(NUM_WORKERS)} workers, ${String(NUM_CLIENTS)} streams, windows of ${String(WINDOW_ROWS)} rows`);
print(
  'balancedness: mean over layers / worst layer, means over windows; in brackets the worst layer of the worst window',
);
for (const redundantExperts of flags['redundant-experts'].split(',')) await measure(redundantExperts);

async function measure(redundantExperts: string): Promise<void> {
  const cluster = await DemoCluster.start(store, NUM_WORKERS, [...FLAGS, '--redundant-experts', redundantExperts]);
  const [moving, quiet]: [number[], number[]] = [[], []];
  print(`+${redundantExperts} redundant experts a layer`);
  try {
    for (const domain of domains) {
      const endMs = performance.now() + MAX_FIT_MS;
      const fit = await run(cluster, domain, 'fit', (watch) => isFitted(watch) || performance.now() > endMs);
      const tokensBefore = await cluster.workerTokens();
      const test = await run(cluster, domain, 'test', ({ numRows, moves }) => moves.length > 0 || numRows > TEST_ROWS);
      const tokens = (await cluster.workerTokens()).map((count, worker) => count - (tokensBefore[worker] ?? 0));
      report(domain, fit.watch, test.watch, tokens);
      const moves = [...fit.watch.moves, ...test.watch.moves];
      for (const { endMs, gapMs } of [...fit.gaps, ...test.gaps])
        (isIn(moves, endMs, gapMs) ? moving : quiet).push(gapMs);
    }
  } finally {
    await cluster.stop();
  }
  print(`  between tokens, p99: ${gapsOf(quiet)} while nothing moves, ${gapsOf(moving)} during moves`);
}

async function run(
  cluster: DemoCluster,
  domain: Domain,
  half: Half,
  isOver: (watch: BalanceWatch) => boolean,
): Promise<{ watch: BalanceWatch; gaps: readonly TokenGap[] }> {
  const load = new DomainLoad(cluster.url, domain, half, NUM_CLIENTS, 1);
  try {
    const watch = await Promise.race([BalanceWatch.over(cluster, { windowRows: WINDOW_ROWS, isOver }), load.failed]);
    return { watch, gaps: load.gaps };
  } finally {
    await load.stop();
  }
}

function isFitted({ isMoving, moves, windows }: BalanceWatch): boolean {
  const lately = windows.slice(-NUM_EVEN_WINDOWS).map(worstOf);
  const isEven = lately.length === NUM_EVEN_WINDOWS && lately.every((worst) => worst >= THRESHOLD);
  return !isMoving && (isEven || moves.some(({ rowsBefore }) => rowsBefore >= MIN_FIT_ROWS));
}

function report(domain: Domain, fit: BalanceWatch, test: BalanceWatch, tokens: readonly number[]): void {
  const first = fit.windows[0]?.placementVersion;
  const before = fit.windows.filter(({ placementVersion }) => placementVersion === first);
  const total = tokens.reduce((sum, count) => sum + count, 0);
  const shares = tokens.map((count) => (100 * count) / total);
  const changes = `${String(fit.moves.length)} change${fit.moves.length === 1 ? '' : 's'}`;
  const spread = `${Math.min(...shares).toFixed(1)} to ${Math.max(...shares).toFixed(1)} %`;
  print(
    `  ${domain.padEnd(10)} before ${spreadOf(before)}, after ${changes} ${spreadOf(test.windows)} in ` +
      `${String(test.windows.length)} windows; ` +
      `shares of workers ${spread}, balancedness of all layers together ${balancedness(tokens).toFixed(3)}`,
  );
}

function spreadOf(windows: readonly WatchedWindow[]): string {
  const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const worsts = windows.map(worstOf);
  const mean = meanOf(windows.map(({ balancedness: layers }) => meanOf(layers)));
  return `${mean.toFixed(3)} / ${meanOf(worsts).toFixed(3)} (${Math.min(...worsts).toFixed(3)})`;
}

function worstOf({ balancedness: layers }: WatchedWindow): number {
  return Math.min(...layers);
}

function isIn(moves: readonly WatchedMove[], endMs: number, gapMs: number): boolean {
  return moves.some((move) => endMs >= move.beginMs && endMs - gapMs <= move.endMs);
}

function gapsOf(gapsMs: readonly number[]): string {
  return `${(quantile(gapsMs, 0.99) ?? Number.NaN).toFixed(0)} ms (${String(gapsMs.length)} of them)`;
}
