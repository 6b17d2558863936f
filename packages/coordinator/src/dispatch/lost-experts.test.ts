import { describe, expect, it, onTestFinished } from 'vitest';
import { DrivenClock } from '@expertmesh/test-kit/driven-clock';
import {
  call,
  EACH_ONCE,
  expectAllSums,
  HIDDEN_SIZE,
  placementOf,
  startCluster,
} from '@expertmesh/test-kit/simple-expert-cluster';
import { SimpleExpertServer } from '@expertmesh/test-kit/simple-expert-server';
import { simpleLayerCall } from '@expertmesh/test-kit/simple-layer-call';
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

  const drift = async (replicas: readonly (readonly number[])[], replacementWaitMs: number) => {
    const cluster = await startCluster(replicas, { canaryIntervalMs: 200, replacementWaitMs });
    cluster.dispatcher.setIrreplaceable([]);
    let factor = 1;
    // It contradicts itself, so that it is doubted without another worker to compare with.
    cluster.servers[1].behaviour = (_, answer, stream) => {
      stream.write({ ...answer, rows: answer.rows.map((value) => value * factor) });
      factor *= 1.1;
    };
    await until(() => cluster.dispatcher.stats().quarantined.length > 0);
    return cluster;
  };

  it('is not asked of a worker that drifts: what needs it fails, and nothing else', async () => {
    const { dispatcher } = await drift(EACH_ONCE, 200);
    const { failures } = await dispatcher.dispatch(
      simpleLayerCall(5, HIDDEN_SIZE, [
        [0, 1, 4],
        [0, 2, 4],
      ]),
    );
    expect([...failures.keys()]).toEqual([1]);
    expect(failures.get(1)).toMatchObject({
      code: 'data_loss',
      message: expect.stringMatching(
        /expert 2 of layer 5 .*worker w1 drifts.*start the worker again.*200 ms/,
      ) as string,
    });
  });

  it('is waited for, where its only worker drifts, until another one has it', async () => {
    const { dispatcher } = await drift(EACH_ONCE, 10_000);
    const pending = dispatcher.dispatch(call);
    await dispatcher.setPlacement(
      placementOf(
        2,
        EACH_ONCE.map(([worker = 0]) => [worker === 1 ? 2 : worker]),
      ),
    );
    expectAllSums(await pending);
  });
});
