/**
 * How near a plan comes to what is measured once it is in force: balancedness over many rows of the same mix of text,
 * and the bytes that moved.
 *
 *   npm run build && npx tsx test/bench/plan-accuracy.ts
 *
 * --cache-dir DIR  where the packed model is kept (the system's directory for temporary files)
 */
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { packedBytesOf } from '@expertmesh/shared/expert-store/shard-blobs';
import { type BalanceView } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { diffPlacements } from '@expertmesh/shared/placement/placement-diff';
import { BalanceWatch } from './balance/balance-watch.js';
import { DemoCluster } from './balance/demo-cluster.js';
import { DomainLoad } from './balance/domain-load.js';
import { packedDemoModel } from './delay/packed-demo.js';
import { print } from './harness/print.js';

const NUM_WORKERS = 8;
const NUM_CLIENTS = 16;
/** So many that what is measured is the mix and not the luck of a few answers. */
const WINDOW_ROWS = 40_000;
const WISHES = [
  { policy: 'balanced', redundantExperts: 0 },
  { policy: 'balanced', redundantExperts: 8 },
  { policy: 'eplb', redundantExperts: 16 },
  { policy: 'round-robin', redundantExperts: 0 },
];

const { values: flags } = parseArgs({ options: { 'cache-dir': { type: 'string', default: tmpdir() } } });
const store = await packedDemoModel(flags['cache-dir']);
const cluster = await DemoCluster.start(store, NUM_WORKERS, ['--balance-window-tokens', String(WINDOW_ROWS)]);
const load = new DomainLoad(cluster.url, 'mixed', 'fit', NUM_CLIENTS, 1);
try {
  print(
    `${String(NUM_WORKERS)} workers, mixed text, windows of ${String(WINDOW_ROWS)} rows: ` +
      'mean over layers / worst layer',
  );
  await measuredWindow();
  for (const wish of WISHES) {
    const before = await cluster.placement();
    const plan = await cluster.plan(wish);
    const bytesDone = await cluster.apply(plan);
    const { moves } = diffPlacements(before, await cluster.placement(), 0);
    const bytesRead = moves.reduce(
      (sum, { layerIndex, load: expertIds }) => sum + packedBytesOf(store, { layerIndex, expertIds: [...expertIds] }),
      0,
    );
    const measured = await measuredWindow();
    print(
      `  ${wish.policy.padEnd(11)} +${String(wish.redundantExperts).padEnd(2)} planned ${both(plan.after)}, ` +
        `measured ${both(measured)}; ` +
        (`bytes planned ${String(plan.bytesToMove)}, moved ${String(bytesDone)}, ` +
          `in the files of what came ${String(bytesRead)}`),
    );
  }
} finally {
  await load.stop();
  await cluster.stop();
}

async function measuredWindow(): Promise<BalanceView> {
  const isOver = ({ windows }: BalanceWatch): boolean => windows.length > 0;
  await Promise.race([BalanceWatch.over(cluster, { windowRows: WINDOW_ROWS, isOver }), load.failed]);
  const { balance } = await cluster.stats('window');
  if (balance === undefined) throw new Error('the load monitor has no balance');
  return balance;
}

function both(view: BalanceView | undefined): string {
  return `${(view?.meanBalancedness ?? NaN).toFixed(3)} / ${(view?.worstBalancedness ?? NaN).toFixed(3)}`;
}
