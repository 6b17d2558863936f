import { simulateSeed } from '@expertmesh/test-kit/simulation/simulate-seed';
const [a = 1, b = 20] = process.argv.slice(2).map(Number);
const T = Date.now();
for (let s = a; s < a + b; s++) {
  const t = performance.now();
  process.stdout.write(`${s} `);
  const r = await simulateSeed(s);
  process.stdout.write(
    `${(performance.now() - t).toFixed(0)}ms sim ${(r.simulatedMs / 1000).toFixed(0)}s ev ${r.numEvents} ${r.violation ?? 'ok'}\n`,
  );
}
