import { contiguousPlacement } from '@expertmesh/shared/placement/placement';
import { toWireRows } from '@expertmesh/shared/rpc/wire-rows';
import { DrivenClock } from '@expertmesh/test-kit/driven-clock';
import { afterEach, describe, expect, it } from 'vitest';
import { type LayerResult } from './expert-dispatcher.js';
import { GrpcExpertDispatcher, type GrpcExpertDispatcherOptions } from './grpc-expert-dispatcher.js';
import { answering, type Behaviour, holdCalls, SimpleExpertServer } from '@expertmesh/test-kit/simple-expert-server';
import { simpleLayerCall, simpleSum } from '@expertmesh/test-kit/simple-layer-call';
import { until } from '@expertmesh/test-kit/until';
import { connectionOpeners } from '../serving/connection-openers.js';

const HIDDEN_SIZE = 6;
const NUM_EXPERTS = 12;
const CALL_TIMEOUT_MS = 1500;
const WORKER_IDS = ['w0', 'w1', 'w2'];

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function startServer(port?: number): Promise<SimpleExpertServer> {
  const server = await SimpleExpertServer.start(port);
  cleanUps.push(() => server.close());
  return server;
}

/** Three workers with 4 experts each: 0-3, 4-7 and 8-11. */
async function startCluster(options: Partial<GrpcExpertDispatcherOptions> = {}) {
  const servers = await Promise.all(WORKER_IDS.map(() => startServer()));
  const dispatcher = new GrpcExpertDispatcher({
    storeId: '0123456789abcdef',
    hiddenSize: HIDDEN_SIZE,
    wireDtype: 'fp32',
    callTimeoutMs: CALL_TIMEOUT_MS,
    ...connectionOpeners(undefined),
    ...options,
  });
  cleanUps.push(() => dispatcher.close());
  await dispatcher.setPlacement(contiguousPlacement(3, [0, 5], NUM_EXPERTS, WORKER_IDS));
  WORKER_IDS.forEach((workerId, index) => {
    dispatcher.setWorkerUp(workerId, servers[index]?.address ?? '');
  });
  await until(() => dispatcher.stats().workers.every(({ isConnected }) => isConnected));
  const [first, second, third] = servers;
  if (first === undefined || second === undefined || third === undefined) throw new Error('three servers');
  return { dispatcher, servers: [first, second, third] as const };
}

/** Row 0 needs all workers, row 1 only w0, row 2 w1 and w2, row 3 only w2. */
const call = simpleLayerCall(5, HIDDEN_SIZE, [
  [0, 5, 11],
  [1, 2, 3],
  [4, 7, 8],
  [9, 10, 11],
]);

function expectSums(result: LayerResult, rowIndices: readonly number[]): void {
  for (const row of rowIndices)
    for (const [column, expected] of simpleSum(call, row).entries())
      expect(result.sums[row * HIDDEN_SIZE + column]).toBeCloseTo(expected, 4);
}

/** Rows 0 and 2 have pairs on w1; rows 1 and 3 have none. */
function expectOnlyRowsOfW1Failed(result: LayerResult, code: string, message: string): void {
  expect([...result.failures.keys()]).toEqual([0, 2]);
  for (const error of result.failures.values())
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) as string });
  expectSums(result, [1, 3]);
}

describe('GrpcExpertDispatcher', () => {
  it('sums the experts of every row over all workers, with one message to each', async () => {
    const { dispatcher, servers } = await startCluster();
    const result = await dispatcher.dispatch(call);
    expect(result.failures.size).toBe(0);
    expectSums(result, [0, 1, 2, 3]);
    expect(servers.map((server) => server.calls.length)).toEqual([1, 1, 1]);
    expect(servers[1].calls[0]).toMatchObject({ layerIndex: 5, placementVersion: 3, numRows: 2 });
  });

  it('splits calls that would exceed the message bound', async () => {
    const { dispatcher, servers } = await startCluster({ maxMessageBytes: 256 + 2 * (HIDDEN_SIZE * 4 + 4 + 24) });
    expectSums(await dispatcher.dispatch(call), [0, 1, 2, 3]);
    expect(servers.map((server) => server.calls.length)).toEqual([1, 1, 2]);
  });

  it('sends fp16 rows when asked to', async () => {
    const { dispatcher, servers } = await startCluster({ wireDtype: 'fp16' });
    for (const server of servers)
      server.behaviour = answering((answer) => ({
        ...answer,
        rowDtype: 'fp16',
        rows: new Uint16Array(answer.rows.length).fill(0x3c00),
      }));
    const result = await dispatcher.dispatch(call);
    expect(servers[0].calls[0]?.rows).toBeInstanceOf(Uint16Array);
    // Every part is all ones, so a sum is the number of workers that the row needed.
    expect([0, 1, 2, 3].map((row) => result.sums[row * HIDDEN_SIZE])).toEqual([3, 1, 2, 1]);
  });

  it('sends int8 rows with their scales when asked to', async () => {
    const { dispatcher, servers } = await startCluster({ wireDtype: 'int8' });
    for (const server of servers)
      server.behaviour = answering((answer) => ({
        ...answer,
        ...toWireRows('int8', new Float32Array(answer.rows.length).fill(2), HIDDEN_SIZE),
      }));
    const result = await dispatcher.dispatch(call);
    const [sent] = servers[0].calls;
    expect(sent?.rowScales).toHaveLength(sent?.numRows ?? 0);
    expect([0, 1, 2, 3].map((row) => result.sums[row * HIDDEN_SIZE])).toEqual([6, 2, 4, 2]);
  });

  it('gives bit-identical sums whatever the order in which the answers come', async () => {
    const { dispatcher, servers } = await startCluster();
    const seen = new Set<string>();
    for (const order of [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ]) {
      const held = servers.map(holdCalls);
      const pending = dispatcher.dispatch(call);
      await Promise.all(held.map(({ arrived }) => arrived));
      for (const [position, index] of order.entries()) {
        held[index]?.answer();
        const numAnswered = position + 1;
        await until(
          () => dispatcher.stats().workers.filter(({ numInFlight }) => numInFlight === 0).length === numAnswered,
        );
      }
      seen.add(Buffer.from((await pending).sums.buffer).toString('hex'));
    }
    expect(seen.size).toBe(1);
  });

  it.each<[string, Behaviour, string]>([
    ['the wrong layer', answering((answer) => ({ ...answer, layerIndex: 4 })), 'layer_index is 4'],
    ['the wrong placement', answering((answer) => ({ ...answer, placementVersion: 2 })), 'placement_version is 2'],
    [
      'missing rows',
      answering((answer) => ({ ...answer, numRows: 1, rows: answer.rows.slice(0, HIDDEN_SIZE) })),
      'num_rows is 1',
    ],
    ['a missing pair', answering((answer) => ({ ...answer, numPairs: answer.numPairs - 1 })), 'num_pairs is 2'],
    ['a NaN', answering((answer) => ({ ...answer, rows: answer.rows.slice().fill(NaN, 3, 4) })), 'element 3 of row 0'],
  ])('fails only the rows of a worker that answers with %s', async (_, behaviour, message) => {
    const { dispatcher, servers } = await startCluster();
    servers[1].behaviour = behaviour;
    const result = await dispatcher.dispatch(call);
    expectOnlyRowsOfW1Failed(result, 'data_loss', message);
    expect([...result.failures.values()][0]?.message).toContain(`worker w1 (${servers[1].address})`);
    expect(dispatcher.stats().workers[1]).toMatchObject({ numCalls: 6, numFailedCalls: 6 });
  });

  it('passes on the error that a worker answers with', async () => {
    const { dispatcher, servers } = await startCluster();
    servers[1].behaviour = answering((answer) => ({
      ...answer,
      rows: new Float32Array(0),
      error: { code: 'failed_precondition', message: 'placement 3 is not served here' },
    }));
    const result = await dispatcher.dispatch(call);
    expectOnlyRowsOfW1Failed(result, 'failed_precondition', 'placement 3 is not served here');
  });

  it('fails the rows at once when the worker breaks its stream in the middle of a call', async () => {
    const { dispatcher, servers } = await startCluster();
    servers[1].behaviour = (_call, _answer, stream) => {
      stream.fail('the compute thread died');
    };
    const result = await dispatcher.dispatch(call);
    expectOnlyRowsOfW1Failed(result, 'unavailable', 'the compute thread died');
  });

  it('fails the rows at once when the worker process goes away in the middle of a call', async () => {
    const { dispatcher, servers } = await startCluster();
    const { arrived } = holdCalls(servers[1]);
    const pending = dispatcher.dispatch(call);
    await arrived;
    await servers[1].close();
    expectOnlyRowsOfW1Failed(await pending, 'unavailable', `worker w1 (${servers[1].address})`);
  });

  it('fails the rows at once when membership says that the worker is gone, and those sent later', async () => {
    const { dispatcher, servers } = await startCluster();
    const { arrived } = holdCalls(servers[1]);
    const pending = dispatcher.dispatch(call);
    await arrived;
    dispatcher.setWorkerDown('w1', 'it missed its heartbeats');
    expectOnlyRowsOfW1Failed(await pending, 'unavailable', 'it missed its heartbeats');
    expectOnlyRowsOfW1Failed(await dispatcher.dispatch(call), 'unavailable', 'it missed its heartbeats');
    servers[1].behaviour = answering((answer) => answer);
    dispatcher.setWorkerUp('w1', servers[1].address);
    expectSums(await dispatcher.dispatch(call), [0, 1, 2, 3]);
  });

  it('fails the rows of a worker that never joined', async () => {
    const { dispatcher } = await startCluster();
    await dispatcher.setPlacement(contiguousPlacement(4, [5], NUM_EXPERTS, ['w0', 'stranger', 'w2']));
    expectOnlyRowsOfW1Failed(await dispatcher.dispatch(call), 'unavailable', 'worker stranger has not joined');
  });

  it('probes every worker and names the first that does not answer well', async () => {
    const { dispatcher, servers } = await startCluster();
    await dispatcher.probe(5);
    expect(servers.map((server) => server.calls.map(({ expertIds }) => [...expertIds]))).toEqual([[[0]], [[4]], [[8]]]);
    servers[2].behaviour = answering((answer) => ({ ...answer, rows: answer.rows.slice().fill(Infinity) }));
    await expect(dispatcher.probe(0)).rejects.toThrow(`worker w2 (${servers[2].address}) answered wrongly`);
  });

  it('fails what is in flight when it is closed, and leaves no timer', async () => {
    const clock = new DrivenClock();
    const { dispatcher, servers } = await startCluster({ clock });
    const held = servers.map(holdCalls);
    const pending = dispatcher.dispatch(call);
    await Promise.all(held.map(({ arrived }) => arrived));
    await dispatcher.close();
    expect((await pending).failures.size).toBe(4);
    expect(clock.numTimers).toBe(0);
  });

  it('refuses to dispatch before the first placement', async () => {
    const options = { storeId: '0123456789abcdef', hiddenSize: 1, wireDtype: 'fp32', callTimeoutMs: 1 } as const;
    const dispatcher = new GrpcExpertDispatcher({ ...options, ...connectionOpeners(undefined) });
    await expect(dispatcher.dispatch(call)).rejects.toMatchObject({ code: 'failed_precondition' });
  });

  it('keeps nothing of a worker that is no member any more', async () => {
    const { dispatcher } = await startCluster();
    dispatcher.forgetWorker('w1');
    expect(dispatcher.stats().workers.map(({ workerId }) => workerId)).toEqual(['w0', 'w2']);
    expectOnlyRowsOfW1Failed(await dispatcher.dispatch(call), 'unavailable', 'worker w1 has not joined yet');
  });
});
