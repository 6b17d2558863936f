import { packedDemoModel } from '/work/main/test/bench/delay/packed-demo.js';
import { DemoCluster } from '/work/main/test/bench/balance/demo-cluster.js';
import { DomainLoad } from '/work/main/test/bench/balance/domain-load.js';
const store = await packedDemoModel('/tmp/embench');
const flags = process.argv.slice(3);
const c = await DemoCluster.start(store, 8, ['--rebalance','auto','--rebalance-cooldown-ms','2000','--redundant-experts', process.argv[2] ?? '0', ...flags]);
const f=(x:number)=>x.toFixed(3);
for (const domain of ['arithmetic','chinese','code','mixed'] as const) for (const half of ['fit','test'] as const) {
  const load = new DomainLoad(c.url, domain, half, 16, 1);
  const n0 = (await c.stats('total')).numTokens;
  let last = n0; const means:number[]=[], worsts:number[]=[];
  while (true) {
    await new Promise(r => setTimeout(r, 150));
    const t = await c.stats('total');
    if (t.numTokens - last > 1300) { last = t.numTokens; const w = await c.stats('window'); const cl = await c.cluster();
      means.push(w.balance!.meanBalancedness); worsts.push(w.balance!.worstBalancedness);
      if (half==='fit') console.log('  ', t.numTokens - n0, 'v', cl.placementVersion, cl.change ? 'moving' : '', f(w.balance!.meanBalancedness), w.layers.map(l=>f(l.balancedness)).join(' '), 'wpt', w.balance!.workersPerToken.toFixed(2)); }
    if (t.numTokens - n0 > 6500) break;
  }
  await load.stop();
  const g = load.gaps.map(g=>g.gapMs).sort((a,b)=>a-b);
  console.log(domain, half, 'mean', f(means.reduce((a,b)=>a+b)/means.length), 'worst', f(worsts.reduce((a,b)=>a+b)/worsts.length), 'min worst', f(Math.min(...worsts)), 'v', (await c.cluster()).placementVersion, 'p99', g[Math.floor(g.length*.99)]?.toFixed(0));
}
const cl = await c.cluster();
for (const w of cl.workers) console.log(w.workerId, w.secondsPerActiveExpert, w.secondsPerToken, w.tokenShare.toFixed(3));
console.log(c.log.split('\n').filter(l => /placement|rebalanc|plan/.test(l)).map(l=>l.slice(0,300)).join('\n'));
await c.stop();
