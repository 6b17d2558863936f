import { describe, expect, it, onTestFinished } from 'vitest';
import { DrivenClock } from '@expertmesh/test-kit/driven-clock';
import { call, EACH_ONCE, expectAllSums, placementOf, startCluster } from '@expertmesh/test-kit/simple-expert-cluster';
import { SimpleExpertServer } from '@expertmesh/test-kit/simple-expert-server';
import { until } from '@expertmesh/test-kit/until';
import { type LayerResult } from './expert-dispatcher.js';
import { type GrpcExpertDispatcherOptions } from './grpc-expert-dispatcher.js';

describe('an expert whose last replica is lost', () => {
  const lose = async (options: Partial<GrpcExpertDispatcherOptions>, irreplaceable: readonly string[] = []) => {
    const clock = new DrivenClock();
    const { dispatcher, servers } = await startCluster(EACH_ONCE, { clock, replacementWaitMs: 5_000, ...options });
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
    onTestFinished(() => server.close());
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
    const none = await startCluster(EACH_ONCE, { replacementWaitMs: 5_000 });
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
