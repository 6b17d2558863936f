import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packCheckpoint } from '@expertmesh/shared/expert-store/pack/pack-checkpoint';
import { ExpertmeshProcess, stopAll } from '../kit/process.js';
import { tempDir } from '../kit/temp-dir.js';
import { NatsServerProcess } from '../kit/nats-server.js';

const json = async (url: string, body?: unknown): Promise<any> => {
  const r = await fetch(url, body === undefined ? {} : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  return r.text();
};
describe('scratch', () => {
  const dir = tempDir();
  const storeDir = join(dir, 'store');
  let nats: NatsServerProcess;
  const urls: string[] = [];
  const grpc: string[] = [];
  const coords: ExpertmeshProcess[] = [];
  const workers: ExpertmeshProcess[] = [];
  const startWorker = (n: number, budget: string) => {
    const w = ExpertmeshProcess.start(['worker', '--store', storeDir, '--host', '127.0.0.1', '--port', '0', '--control-port', '0', '--num-threads', '1', '--nats-url', nats.url, '--worker-id', `w${n}`, '--failure-domain', `d${n}`, '--memory-budget-bytes', budget]);
    workers.push(w);
    return w;
  };
  const startCoordinator = async (n: number, extra: string[] = []) => {
    const c = ExpertmeshProcess.start(['coordinator', '--store', storeDir, '--nats-url', nats.url, '--port', '0', '--grpc-port', '0', '--num-threads', '1', '--coordinator-id', `c${n}`, '--state-dir', join(dir, `state${n}`), '--min-workers', '3', '--repair-after-ms', '3000', ...extra]);
    coords.push(c);
    const { httpPort, grpcPort } = await c.listening('coordinator');
    urls[n] = `http://127.0.0.1:${httpPort}`;
    grpc[n] = `127.0.0.1:${grpcPort}`;
  };
  const ask = async (n: number, prompt = 'What is 47 + 85?') => {
    const t = await json(`${urls[n]}/v1/chat/completions`, { model: 'store', messages: [{ role: 'user', content: prompt }], max_tokens: 100, temperature: 0 });
    return JSON.parse(t).choices?.[0]?.message?.content ?? t;
  };
  beforeAll(async () => {
    await packCheckpoint({ hfDir: join(import.meta.dirname, '../../models/qwen3-moe-demo'), storeDir, bits: 8, blockSize: 32 });
    nats = await NatsServerProcess.start();
    for (const n of [1, 2, 3]) startWorker(n, '60MB');
    await startCoordinator(0);
    await startCoordinator(1);
  });
  afterAll(async () => {
    for (const [i, c] of coords.entries()) console.log(`--- coordinator ${i}`, c.output.slice(-6000));
    for (const [i, c] of workers.entries()) console.log(`--- worker ${i}`, c.output.slice(-1500));
    await stopAll();
    await nats.stop();
  });
  it('works', async () => {
    await coords[0]!.until(async () => (await fetch(`${urls[0]}/health/ready`)).ok, 'ready', 30000);
    await coords[1]!.until(async () => (await fetch(`${urls[1]}/health/ready`)).ok, 'ready', 30000);
    expect(await ask(0)).toBe('132');
    expect(await ask(1)).toBe('132');
    console.log(await json(`${urls[0]}/admin/v1/cluster`));
    console.log(await json(`${urls[1]}/admin/v1/placement/plan`, { policy: 'balanced', redundantExperts: 8 }).then((t: string) => t.slice(0, 600)));
  });

  const cli = async (...command: string[]) => {
    const at = grpc.findIndex((_, i) => !coords[i]!.hasExited);
    const p = ExpertmeshProcess.start([...command, '--coordinator', grpc[at]!]);
    await p.until(() => p.hasExited, 'exits', 60000);
    console.log(`### ${command.join(' ')}\n`, p.output);
  };
  const load = (n: number) => {
    const state = { stop: false, ok: 0, failed: [] as string[] };
    const run = async () => {
      while (!state.stop) {
        try {
          const answer = await ask(n);
          if (answer === '132') state.ok++;
          else state.failed.push(answer);
        } catch (e) { state.failed.push(String(e)); }
      }
    };
    const done = Promise.all([run(), run()]);
    return { state, end: async () => { state.stop = true; await done; return state; } };
  };
  const view = async (n: number) => JSON.parse(await json(`${urls[n]}/admin/v1/cluster`));
  const brief = (v: any) => JSON.stringify({ leader: v.leaderId, epoch: v.epoch, cp: v.controlPlane, version: v.placementVersion, workers: v.workers.map((w: any) => [w.workerId, w.availability, w.admission, w.numReplicas].join(' ')) });
  const waitFor = async (f: () => Promise<boolean>, ms: number) => {
    const t0 = performance.now();
    while (performance.now() - t0 < ms) { if (await f().catch(() => false)) return Math.round(performance.now() - t0); await new Promise((r) => setTimeout(r, 100)); }
    return -1;
  };
  it('moves under load without a failure', async () => {
    const l = load(0); const l1 = load(1);
    await cli('rebalance', '--yes', '--replicas', '8');
    startWorker(4, '30MB');
    await waitFor(async () => (await view(0)).workers.length === 4, 10000);
    await cli('workers', 'drain', 'w3', '--yes');
    await cli('placement', 'rollback', '1', '--yes');
    await cli('workers', 'list');
    console.log('load', await l.end(), await l1.end());
  });
  it('nats away', async () => {
    const l = load(0); const l1 = load(1);
    await nats.stop();
    await new Promise((r) => setTimeout(r, 12000));
    console.log(brief(await view(0)));
    await nats.restart();
    console.log('converged after', await waitFor(async () => { const v = await view(0); return v.controlPlane === 'connected' && v.leaderId !== '' && v.workers.every((w: any) => w.availability === 'up'); }, 15000));
    console.log(brief(await view(0)), brief(await view(1)));
    await nats.wipe(); await nats.restart();
    await new Promise((r) => setTimeout(r, 8000));
    console.log(brief(await view(0)), brief(await view(1)));
    await cli('placement', 'history');
    await cli('rebalance', '--yes');
    console.log('load', await l.end(), await l1.end());
  });
  it('leader killed, worker killed', async () => {
    const leader = (await view(0)).leaderId === 'c0' ? 0 : 1;
    const other = 1 - leader;
    const l = load(other);
    void coords[leader]!.stop('SIGKILL');
    console.log('new leader after', await waitFor(async () => (await view(other)).leaderId === `c${other}`, 15000));
    await cli('rebalance', '--yes', '--replicas', '8');
    console.log('load', await l.end());
    const l2 = load(other);
    void workers[1]!.stop('SIGKILL');
    console.log('not ready after', await waitFor(async () => !(await fetch(`${urls[other]}/health/ready`)).ok, 5000));
    console.log('ready again after', await waitFor(async () => (await fetch(`${urls[other]}/health/ready`)).ok, 30000));
    await cli('workers', 'list');
    await cli('placement', 'history');
    const s = await l2.end();
    console.log('load', s.ok, s.failed.length, s.failed.slice(0, 3));
    await cli('workers', 'remove', 'w2', '--yes');
    await cli('workers', 'list');
  });
});
