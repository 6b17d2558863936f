import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import OpenAI from 'openai';
import { seededRandom } from '@expertmesh/shared/random/seeded-random';
import { CuttableProxy } from '@expertmesh/test-kit/cuttable-proxy';
import { packDemoStore } from '@expertmesh/test-kit/demo-store';
import { DispatchProxy } from '@expertmesh/test-kit/dispatch-proxy';
import { eventually } from '@expertmesh/test-kit/eventually';
import { DEMO_MODEL } from '@expertmesh/test-kit/mesh';
import { flippingBits, rewritingAnswers } from '@expertmesh/test-kit/message-faults';
import { ExpertmeshProcess, stopAll } from '@expertmesh/test-kit/process';
import { StreamLoad } from '@expertmesh/test-kit/stream-load';
import { workerArgs } from '@expertmesh/test-kit/worker-fleet';
import { decidedQuestions } from './demo-questions.js';

const NUM_STREAMS = 24;
/** Of the host that the coordinator knows the first worker by: proxies listen there, on the worker's own ports. */
const PROXY_HOST = '127.0.1.1';

describe('24 greedy streams over 3 workers, every expert on two of them', () => {
  const questions = decidedQuestions(NUM_STREAMS);
  let workers: ExpertmeshProcess[];
  let coordinator: ExpertmeshProcess;
  let dataProxy: DispatchProxy;
  let controlProxy: CuttableProxy;
  let url: string;

  beforeAll(async () => {
    const storeDir = await packDemoStore();
    workers = [0, 1, 2].map((index) => ExpertmeshProcess.start(workerArgs(storeDir, ['--failure-domain', `box-${String(index)}`])));
    const ports = await Promise.all(workers.map((worker) => worker.listening('worker')));
    const { dataPort = 0, controlPort = 0 } = ports[0] ?? {};
    dataProxy = await DispatchProxy.start(`127.0.0.1:${String(dataPort)}`, { host: PROXY_HOST, port: dataPort });
    controlProxy = await CuttableProxy.start(controlPort, { host: PROXY_HOST, port: controlPort });
    const addresses = ports.map((port, index) => `${index === 0 ? PROXY_HOST : '127.0.0.1'}:${String(port.controlPort)}`);
    coordinator = ExpertmeshProcess.start([
      ...['coordinator', '--store', storeDir, '--workers', addresses.join(','), '--survive', '1'],
      ...['--port', '0', '--grpc-port', '0', '--num-threads', '1', '--served-model-name', DEMO_MODEL],
    ]);
    const { httpPort } = await coordinator.listening('coordinator');
    url = `http://127.0.0.1:${String(httpPort)}`;
    await coordinator.until(async () => (await fetch(`${url}/health/ready`)).ok, 'is ready');
  });

  afterEach(() => {
    dataProxy.onCall = dataProxy.onAnswer = (message) => [message];
  });

  afterAll(async () => {
    await stopAll();
    await dataProxy.close();
    await controlProxy.cut();
  });

  const load = () =>
    new StreamLoad([new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 })], questions);

  async function metric(name: string): Promise<number> {
    const text = await (await fetch(`${url}/metrics`)).text();
    const values = [...text.matchAll(new RegExp(`^expertmesh:${name}(?:\\{[^}]*\\})? (\\d+)$`, 'gm'))];
    return values.reduce((sum, [, value]) => sum + Number(value), 0);
  }

  it('has the same text when 30 % of the messages of one worker have a flipped bit, and says so', async () => {
    let numFlipped = 0;
    const streams = load();
    dataProxy.onCall = dataProxy.onAnswer = flippingBits(0.3, seededRandom(3), () => numFlipped++);
    await streams.round();
    const report = await streams.stop();
    expect(report).toMatchObject({ failures: [], wrong: [] });
    expect(report.numAnswers).toBeGreaterThanOrEqual(NUM_STREAMS);
    expect(numFlipped).toBeGreaterThan(2);
    expect(await metric('wrong_answers_total')).toBeGreaterThan(2);
    expect(coordinator.output).toContain('an answer was wrong and is asked for again');
    expect(coordinator.output).toContain('worker is in quarantine');
  });

  it('has the same text when an answer has a NaN', async () => {
    await coordinator.until(async () => (await metric('worker_quarantined')) === 0, 'has taken the worker back');
    let numLeft = 1;
    const before = await metric('wrong_answers_total');
    const withNaN = rewritingAnswers((answer) => ({ ...answer, rows: answer.rows.slice().fill(NaN, 0, 1) }));
    dataProxy.onAnswer = (message) => (numLeft-- > 0 ? withNaN(message) : [message]);
    const streams = load();
    await streams.round();
    expect(await streams.stop()).toMatchObject({ failures: [], wrong: [] });
    await eventually(async () => {
      expect(await metric('wrong_answers_total')).toBe(before + 1);
    });
  });

  it('has the same text when a worker is stopped and goes on, and hedges meanwhile', async () => {
    const streams = load();
    await streams.round();
    workers[2]?.child.kill('SIGSTOP');
    try {
      await streams.round();
    } finally {
      workers[2]?.child.kill('SIGCONT');
    }
    await streams.round();
    expect(await streams.stop()).toMatchObject({ failures: [], wrong: [] });
    expect(await metric('dispatch_hedges_total')).toBeGreaterThan(0);
  });
});
