import { packedDemoModel } from '/work/main/test/bench/delay/packed-demo.js';
import { DemoCluster } from '/work/main/test/bench/balance/demo-cluster.js';
import { DomainLoad } from '/work/main/test/bench/balance/domain-load.js';
const store = await packedDemoModel('/tmp/embench');
const c = await DemoCluster.start(store, 8, ['--rebalance','off','--redundant-experts', process.argv[2] ?? '0']);
for (const domain of ['arithmetic','chinese','code','mixed'] as const) {
  const load = new DomainLoad(c.url, domain, 'test', 16, 1);
  const t0 = performance.now();
  const n0 = (await c.stats('total')).numTokens;
  let last = n0;
  while (true) {
    await new Promise(r => setTimeout(r, 300));
    const t = await c.stats('total');
    if (t.numTokens - last > 1300) { last = t.numTokens; const w = await c.stats('window'); console.log(domain, t.numTokens - n0, w.numTokens, w.balance!.meanBalancedness.toFixed(3), w.layers.map(l=>l.balancedness.toFixed(3)).join(' '), 'wpt', w.balance!.workersPerToken.toFixed(2)); }
    if (t.numTokens - n0 > 6000) break;
  }
  await load.stop();
  console.log(domain, 'tok/s', ((await c.stats('total')).numTokens-n0)/(performance.now()-t0)*1000, 'gaps', load.gaps.length);
}
console.log(await c.workerTokens());
await c.stop();
