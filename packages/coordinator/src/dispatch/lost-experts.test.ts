import { type Placement } from '@expertmesh/shared/placement/placement';
import { connectionOpeners } from '../serving/connection-openers.js';
import { afterEach, describe, expect, it } from 'vitest';
import { DrivenClock } from '@expertmesh/test-kit/driven-clock';
import { SimpleExpertServer } from '@expertmesh/test-kit/simple-expert-server';
import { simpleLayerCall, simpleSum } from '@expertmesh/test-kit/simple-layer-call';
import { until } from '@expertmesh/test-kit/until';
import { type LayerResult } from './expert-dispatcher.js';
import { GrpcExpertDispatcher, type GrpcExpertDispatcherOptions } from './grpc-expert-dispatcher.js';

const HIDDEN_SIZE = 6;
const WORKER_IDS = ['w0', 'w1', 'w2'];
/** Two experts on each worker. */
const EACH_ONCE = [[0], [0], [1], [1], [2], [2]];

const placementOf = (version: number, replicas: readonly (readonly number[])[]): Placement => ({
  version,
  numExperts: replicas.length,
  workerIds: WORKER_IDS,
  replicas: new Map([[5, replicas]]),
});

const call = simpleLayerCall(5, HIDDEN_SIZE, [
  [0, 1, 2],
  [3, 4, 5],
]);

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function startCluster(options: Partial<GrpcExpertDispatcherOptions>) {
  const servers = await Promise.all([
    SimpleExpertServer.start(),
    SimpleExpertServer.start(),
    SimpleExpertServer.start(),
  ]);
  const dispatcher = new GrpcExpertDispatcher({
    storeId: '0123456789abcdef',
    hiddenSize: HIDDEN_SIZE,
    wireDtype: 'fp32',
    callTimeoutMs: 10_000,
    ...connectionOpeners(undefined),
    ...options,
  });
  cleanUps.push(() => dispatcher.close(), ...servers.map((server) => () => server.close()));
  await dispatcher.setPlacement(placementOf(1, EACH_ONCE));
  for (const [index, { address }] of servers.entries()) dispatcher.setWorkerUp(WORKER_IDS[index] ?? '', address);
  await until(() => dispatcher.stats().workers.every(({ isConnected }) => isConnected));
  return { dispatcher, servers } as const;
}

function expectAllSums(result: LayerResult): void {
  expect([...result.failures]).toEqual([]);
  for (let row = 0; row < call.numRows; row++)
    for (const [column, expected] of simpleSum(call, row).entries())
      expect(result.sums[row * HIDDEN_SIZE + column]).toBeCloseTo(expected, 4);
}

describe('an expert whose last replica is lost', () => {
  const lose = async (options: Partial<GrpcExpertDispatcherOptions>, irreplaceable: readonly string[] = []) => {
    const clock = new DrivenClock();
    const { dispatcher, servers } = await startCluster({ clock, replacementWaitMs: 5_000, ...options });
    dispatcher.setIrreplaceable(irreplaceable);
    dispatcher.setWorkerDown('w1', 'it missed its heartbeats');
    const pending = dispatcher.dispatch(call);
    await until(() => servers[0].calls.length > 0 && servers[2].calls.length > 0);
    return { clock, dispatcher, pending };
  };
  const failureOf = ({ failures }: LayerResult): string => failures.get(0)?.message ?? '';

  it('is waited for until another worker has it, with the same sums', async () => {
    const { clock, dispatcher, pending } = await lose({});
    clock.advance(3_000);
    const elsewhere = EACH_ONCE.map(([worker = 0]) => [worker === 1 ? 2 : worker]);
    // What waits for a placement does not keep it from being taken.
    await dispatcher.setPlacement(placementOf(2, elsewhere));
    clock.advance(100);
    expectAllSums(await pending);
  });

  it('is waited for until its worker is there again', async () => {
    const { clock, dispatcher, pending } = await lose({});
    clock.advance(1_000);
    const server = await SimpleExpertServer.start();
    cleanUps.push(() => server.close());
    dispatcher.setWorkerUp('w1', server.address);
    await until(() => dispatcher.stats().workers.every(({ isConnected }) => isConnected));
    clock.advance(100);
    await until(() => server.calls.length > 0);
    expectAllSums(await pending);
  });

  it('fails what needs it when the time is over, with what there is to do', async () => {
    const { clock, pending } = await lose({});
    for (let passedMs = 0; passedMs < 5_000; passedMs += 100) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(100);
    }
    expect(failureOf(await pending)).toMatch(/worker w1.*it missed its heartbeats; .*within 5000 ms/);
  });

  it('is not waited for where nobody has room, and never before anybody has said so', async () => {
    const { pending } = await lose({}, ['w1']);
    expect(failureOf(await pending)).toMatch(/worker w1.*it missed its heartbeats; no other worker has room/);
    const none = await startCluster({ replacementWaitMs: 5_000 });
    none.dispatcher.setWorkerDown('w1', 'it missed its heartbeats');
    expect(failureOf(await none.dispatcher.dispatch(call))).toMatch(/worker w1/);
  });

  it('is given up where it turns out meanwhile that nobody has room', async () => {
    const { clock, dispatcher, pending } = await lose({});
    clock.advance(1_000);
    dispatcher.setIrreplaceable(['w1']);
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(100);
    expect(failureOf(await pending)).toMatch(/no other worker has room/);
  });
});
