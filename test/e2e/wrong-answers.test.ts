import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '@expertmesh/shared/random/seeded-random';
import { CuttableProxy } from '@expertmesh/test-kit/cuttable-proxy';
import { packDemoStore } from '@expertmesh/test-kit/demo-store';
import { DispatchProxy } from '@expertmesh/test-kit/dispatch-proxy';
import { eventually } from '@expertmesh/test-kit/eventually';
import { DEMO_MODEL } from '@expertmesh/test-kit/mesh';
import { flippingBits, rewritingAnswers } from '@expertmesh/test-kit/message-faults';
import { ExpertmeshProcess, stopAll } from '@expertmesh/test-kit/process';
import { workerArgs } from '@expertmesh/test-kit/worker-fleet';
import { report } from '../chaos/report.js';
import { promptsFor, TokenStreams } from '../chaos/token-streams.js';

const NUM_STREAMS = 24;
const NUM_TOKENS = 60;
/** A worker that stands still longer than any hedge waits, and shorter than until its heartbeats are missed. */
const STOPPED_MS = 2_000;
/** On an idle machine 300; cores may be busy with other things. */
const MAX_STALL_MS = 1_000;
/** Of the host that the coordinator knows the first worker by: proxies listen there, on the worker's own ports. */
const PROXY_HOST = '127.0.1.1';

describe('24 greedy streams over 3 workers, every expert on two of them', () => {
  const prompts = promptsFor(NUM_STREAMS);
  let workers: ExpertmeshProcess[];
  let coordinator: ExpertmeshProcess;
  let dataProxy: DispatchProxy;
  let controlProxy: CuttableProxy;
  let url: string;
  let grpcAddress: string;
  let quiet: TokenStreams;

  beforeAll(async () => {
    const storeDir = await packDemoStore();
    workers = [0, 1, 2].map((index) =>
      ExpertmeshProcess.start(workerArgs(storeDir, ['--failure-domain', `box-${String(index)}`])),
    );
    const ports = await Promise.all(workers.map((worker) => worker.listening('worker')));
    const { dataPort = 0, controlPort = 0 } = ports[0] ?? {};
    dataProxy = await DispatchProxy.start(`127.0.0.1:${String(dataPort)}`, { host: PROXY_HOST, port: dataPort });
    controlProxy = await CuttableProxy.start(controlPort, { host: PROXY_HOST, port: controlPort });
    const addresses = ports.map(
      (port, index) => `${index === 0 ? PROXY_HOST : '127.0.0.1'}:${String(port.controlPort)}`,
    );
    coordinator = ExpertmeshProcess.start([
      ...['coordinator', '--store', storeDir, '--workers', addresses.join(','), '--survive', '1'],
      ...['--port', '0', '--grpc-port', '0', '--num-threads', '1', '--served-model-name', DEMO_MODEL],
      ...['--heartbeat-timeout-ms', String(10 * STOPPED_MS)],
    ]);
    const { httpPort, grpcPort } = await coordinator.listening('coordinator');
    url = `http://127.0.0.1:${String(httpPort)}`;
    grpcAddress = `127.0.0.1:${String(grpcPort)}`;
    await coordinator.until(async () => (await fetch(`${url}/health/ready`)).ok, 'is ready');
    quiet = begin();
    await quiet.ended;
    expect(quiet.failures).toEqual([]);
  });

  afterEach(() => {
    dataProxy.onCall = dataProxy.onAnswer = (message) => [message];
  });

  afterAll(async () => {
    await stopAll();
    await dataProxy.close();
    await controlProxy.cut();
  });

  const begin = (): TokenStreams => new TokenStreams([url], prompts, NUM_TOKENS);

  async function expectSameAsQuiet(streams: TokenStreams): Promise<void> {
    await streams.ended;
    expect(streams.failures).toEqual([]);
    expect(streams.differences(quiet)).toEqual([]);
    for (const { tokenIds } of streams.streams) expect(tokenIds).toHaveLength(NUM_TOKENS);
  }

  /** The sum over all labels. */
  async function metric(name: string): Promise<number> {
    const text = await (await fetch(`${url}/metrics`)).text();
    const values = [...text.matchAll(new RegExp(`^expertmesh:${name}(?:\\{[^}]*\\})? (\\d+)$`, 'gm'))];
    return values.reduce((sum, [, value]) => sum + Number(value), 0);
  }

  async function workersList(): Promise<string> {
    const command = ExpertmeshProcess.start(['workers', 'list', '--coordinator', grpcAddress]);
    expect(await command.exited()).toBe(0);
    return command.output;
  }

  it('says the same when 30 % of the messages of one worker have a flipped bit, and names the worker', async () => {
    let numFlipped = 0;
    dataProxy.onCall = dataProxy.onAnswer = flippingBits(0.3, seededRandom(3), () => numFlipped++);
    const streams = begin();
    await coordinator.until(async () => (await metric('worker_quarantined')) === 1, 'has a worker in quarantine');
    // Its exams fail as well from here on, so that it is still there when the command comes to look.
    dataProxy.onAnswer = flippingBits(1, seededRandom(4), () => numFlipped++);
    await eventually(async () => {
      expect(await workersList()).toMatch(/in quarantine: \d+ wrong answers within a minute, the last: .+/);
    }, 20_000);
    expect(await (await fetch(`${url}/health/ready`)).json()).toMatchObject({
      status: 'ready',
      details: { impaired: [{ reason: expect.stringContaining('in quarantine: ') as string }] },
    });
    await expectSameAsQuiet(streams);
    const numWrong = await metric('wrong_answers_total');
    expect(numWrong).toBeGreaterThan(2);
    expect(numWrong).toBeLessThanOrEqual(numFlipped);
    expect(coordinator.output).toContain('an answer was wrong and is asked for again');
    expect(coordinator.output).toContain('worker is in quarantine');
    report('R6 flipped bits', { streams: NUM_STREAMS, flipped: numFlipped, 'wrong answers': numWrong });
  });

  it('says the same when an answer has a NaN', async () => {
    const isTakenBack = async (): Promise<boolean> => (await metric('worker_quarantined')) === 0;
    await coordinator.until(isTakenBack, 'has taken the worker back');
    const before = await metric('wrong_answers_total');
    const withNaN = rewritingAnswers((answer) => ({ ...answer, rows: answer.rows.slice().fill(NaN, 0, 1) }));
    let numLeft = 1;
    dataProxy.onAnswer = (message) => (numLeft-- > 0 ? withNaN(message) : [message]);
    await expectSameAsQuiet(begin());
    expect(await metric('wrong_answers_total')).toBe(before + 1);
  });

  it('says the same when a worker is stopped and goes on, and hedges meanwhile', async () => {
    const worker = workers[2]?.child;
    const longestQuietMs = Math.max(...quiet.stallsMs(quietFromMs(quiet)));
    const streams = begin();
    await coordinator.until(() => streams.hasTokens(5), 'has begun all streams');
    const stoppedMs = performance.now();
    worker?.kill('SIGSTOP');
    try {
      await streams.ended;
    } finally {
      worker?.kill('SIGCONT');
    }
    await expectSameAsQuiet(streams);
    const longestMs = Math.max(...streams.stallsMs(stoppedMs));
    report('R3 worker stopped, hedged', { 'stall ms': longestMs, 'quiet ms': longestQuietMs });
    expect(longestMs - longestQuietMs).toBeLessThan(MAX_STALL_MS);
    expect(await metric('dispatch_hedges_total')).toBeGreaterThan(0);
    await expectSameAsQuiet(begin());
  });
});

/** When all of them had five tokens. */
const quietFromMs = ({ streams }: TokenStreams): number => Math.max(...streams.map(({ atMs }) => atMs[4] ?? 0));
