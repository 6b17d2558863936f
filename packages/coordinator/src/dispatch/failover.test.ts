import { describe, expect, it } from 'vitest';
import { DrivenClock } from '@expertmesh/test-kit/driven-clock';
import {
  call,
  EACH_ONCE,
  EACH_TWICE,
  expectAllSums,
  HIDDEN_SIZE,
  pairsSeen,
  placementOf,
  refused,
  startCluster,
  without,
  WORKER_IDS,
} from '@expertmesh/test-kit/simple-expert-cluster';
import { answering, holdCalls } from '@expertmesh/test-kit/simple-expert-server';
import { simpleLayerCall } from '@expertmesh/test-kit/simple-layer-call';
import { until } from '@expertmesh/test-kit/until';
import { FailoverCounts, NEWER_PLACEMENT_WAIT_MS } from './failover.js';

describe('failover', () => {
  it('sends the pairs of a worker that dies in the middle of a call to their other replicas', async () => {
    const { dispatcher, servers } = await startCluster(EACH_TWICE);
    const held = servers.map(holdCalls);
    const pending = dispatcher.dispatch(call);
    await until(() => servers.reduce((sum, server) => sum + pairsSeen(server), 0) === call.expertIds.length);
    for (const server of servers) server.behaviour = answering((answer) => answer);
    const victim = servers.findIndex(({ calls }) => calls.length > 0);
    await servers[victim]?.close();
    for (const [index, { answer }] of held.entries()) if (index !== victim) answer();
    expectAllSums(await pending);
    const failovers = [{ workerId: WORKER_IDS[victim], reason: 'unavailable', numFailovers: 1 }];
    expect(dispatcher.stats().failovers).toEqual(failovers);
  });

  it('does not ask a worker that is known to be away where another has the experts', async () => {
    const { dispatcher, servers } = await startCluster(EACH_TWICE);
    dispatcher.setWorkerDown('w1', 'it missed its heartbeats');
    expectAllSums(await dispatcher.dispatch(call));
    expect(servers[1].calls).toEqual([]);
    expect(dispatcher.stats().failovers).toEqual([]);
  });

  it('asks another replica after half of the time when a worker hangs', async () => {
    const { dispatcher, servers } = await startCluster(EACH_TWICE, { callTimeoutMs: 600 });
    for (const server of servers) {
      const { arrived } = holdCalls(server);
      void arrived.then(() => {
        for (const other of servers) if (other !== server) other.behaviour = answering((answer) => answer);
      });
    }
    const alone = simpleLayerCall(5, HIDDEN_SIZE, [[0]]);
    const startMs = performance.now();
    expectAllSums(await dispatcher.dispatch(alone), alone);
    expect(performance.now() - startMs).toBeLessThan(550);
    expect(dispatcher.stats().failovers).toMatchObject([{ reason: 'deadline_exceeded', numFailovers: 1 }]);
  });

  it('asks elsewhere for the experts that a worker does not hold, and for the others there', async () => {
    // Time stands still: it waits for nothing.
    const { dispatcher, servers } = await startCluster([[0, 1], [0], [1], [1], [2], [2]], { clock: new DrivenClock() });
    servers[0].behaviour = without(0);
    servers[1].behaviour = without(0);
    const lacking = await dispatcher.dispatch(simpleLayerCall(5, HIDDEN_SIZE, [[1], [3]]));
    expect(lacking.failures.size).toBe(0);
    servers[1].behaviour = answering((answer) => answer);
    const both = simpleLayerCall(5, HIDDEN_SIZE, [[0, 1]]);
    expectAllSums(await dispatcher.dispatch(both), both);
    expect(servers[0].calls.slice(-2).map(({ expertIds }) => [...expertIds])).toEqual([[0, 1], [1]]);
    expect(dispatcher.stats().failovers).toEqual([{ workerId: 'w0', reason: 'not_held', numFailovers: 1 }]);
  });

  it('waits for a newer placement where no other replica is known, and asks the worker that it names', async () => {
    const { dispatcher, servers } = await startCluster(EACH_ONCE);
    servers[0].behaviour = without(0);
    servers[1].behaviour = without(3);
    const pending = dispatcher.dispatch(call);
    const isRefused = () => dispatcher.stats().workers.filter(({ numFailedCalls }) => numFailedCalls > 0).length === 2;
    await until(isRefused);
    const applied = dispatcher.setPlacement(placementOf(2, [[2], [0], [1], [2], [2], [2]]));
    expectAllSums(await pending);
    await applied;
    const sentAgain = servers[2].calls
      .slice(1)
      .map(({ placementVersion, expertIds }) => [placementVersion, ...expertIds]);
    expect(sentAgain.sort()).toEqual([
      [2, 0, 0],
      [2, 3],
    ]);
  });

  it('fails the rows of an expert that nobody holds after that wait, naming it, and no others', async () => {
    const clock = new DrivenClock();
    const { dispatcher, servers } = await startCluster(EACH_ONCE, { clock });
    servers[0].behaviour = without(0);
    const pending = dispatcher.dispatch(call);
    await until(() => servers[0].calls.length === 2);
    await until(() => dispatcher.stats().workers.every(({ numInFlight }) => numInFlight === 0));
    clock.advance(NEWER_PLACEMENT_WAIT_MS);
    const { failures } = await pending;
    expect([...failures.keys()]).toEqual([0, 2]);
    expect(failures.get(0)).toMatchObject({
      code: 'failed_precondition',
      message: `worker w0 (${servers[0].address}): expert 0 of layer 5 is not on this worker`,
    });
    expect(clock.numTimers).toBe(0);
  });

  it('gives up after three attempts', async () => {
    const { dispatcher, servers } = await startCluster([[0, 1, 2], [0], [0], [0], [0], [0]]);
    for (const server of servers)
      server.behaviour = answering((answer) => refused(answer, { code: 'unavailable', message: 'draining' }));
    const alone = simpleLayerCall(5, HIDDEN_SIZE, [[0]]);
    expect((await dispatcher.dispatch(alone)).failures.get(0)).toMatchObject({ code: 'unavailable' });
    expect(servers.map(({ calls }) => calls.length)).toEqual([1, 1, 1]);
  });

  it('asks the same worker once more about an answer that is wrong', async () => {
    const { dispatcher, servers } = await startCluster(EACH_TWICE);
    let numWrong = 0;
    for (const server of servers)
      server.behaviour = answering((answer) =>
        numWrong++ === 0 ? { ...answer, rows: answer.rows.fill(NaN) } : answer,
      );
    expectAllSums(await dispatcher.dispatch(call));
    const again = dispatcher.stats().failovers;
    expect(again).toMatchObject([{ reason: 'wrong_answer', numFailovers: 1 }]);
    const [wrong] = dispatcher.stats().wrongAnswers;
    expect(wrong).toEqual({ workerId: again[0]?.workerId, kind: 'not_finite', numAnswers: 1 });
  });

  it('asks another replica when an answer is wrong again, and that worker no more after the third', async () => {
    const quarantined: string[] = [];
    const { dispatcher, servers } = await startCluster(EACH_TWICE, {
      onQuarantine: (workerId, because) => quarantined.push(`${workerId}: ${String(because)}`),
    });
    servers[0].behaviour = answering((answer) => ({ ...answer, numPairs: 77 }));
    for (let round = 0; round < 4; round++) expectAllSums(await dispatcher.dispatch(call));
    expect(quarantined).toEqual([expect.stringMatching(/^w0: 3 wrong answers within a minute.*num_pairs is 77/)]);
    expect(dispatcher.stats().quarantined).toMatchObject([{ workerId: 'w0' }]);
    const asked = servers[0].calls.length;
    expectAllSums(await dispatcher.dispatch(call));
    expect(servers[0].calls).toHaveLength(asked);
  });

  it('goes on asking a quarantined worker for what no other holds', async () => {
    const { dispatcher, servers } = await startCluster(EACH_ONCE);
    let numLeft = 4;
    servers[0].behaviour = answering((answer) => (numLeft-- > 0 ? { ...answer, layerIndex: 6 } : answer));
    expectAllSums(await dispatcher.dispatch(call));
    expect(dispatcher.stats().quarantined).toMatchObject([{ workerId: 'w0' }]);
    expectAllSums(await dispatcher.dispatch(call));
  });

  it('takes a worker out of quarantine by its exam, without rounds of canary rows too', async () => {
    const changes: string[] = [];
    const onQuarantine = (workerId: string, because?: string): void => {
      changes.push(`${workerId} ${because === undefined ? 'out' : 'in'}`);
    };
    const { dispatcher, servers } = await startCluster(EACH_TWICE, { onQuarantine });
    let numLeft = 3;
    servers[0].behaviour = answering((answer) => (numLeft-- > 0 ? { ...answer, layerIndex: 6 } : answer));
    for (let round = 0; round < 4; round++) expectAllSums(await dispatcher.dispatch(call));
    await until(() => changes.length > 1);
    expect(changes).toEqual(['w0 in', 'w0 out']);
  });

  it('fails the rows whose answers stay wrong everywhere, naming what is wrong', async () => {
    const { dispatcher, servers } = await startCluster(EACH_TWICE);
    for (const server of servers)
      server.behaviour = answering((answer) => ({ ...answer, rows: answer.rows.fill(NaN) }));
    const { failures } = await dispatcher.dispatch(call);
    expect([...failures.keys()].sort()).toEqual([0, 1, 2]);
    for (const error of failures.values()) expect(error).toMatchObject({ code: 'data_loss', kind: 'not_finite' });
  });
});

describe('setPlacement', () => {
  it('is applied when the dispatches that began before it have ended, and not before', async () => {
    const { dispatcher, servers } = await startCluster(EACH_ONCE);
    const { arrived, answer } = holdCalls(servers[0]);
    const pending = dispatcher.dispatch(call);
    await arrived;
    let isApplied = false;
    const applied = dispatcher.setPlacement(placementOf(2, [[1], [1], [1], [1], [2], [2]])).then(() => {
      isApplied = true;
    });
    expectAllSums(await dispatcher.dispatch(call));
    expect(isApplied).toBe(false);
    answer();
    expectAllSums(await pending);
    await applied;
    expect(servers[0].calls).toHaveLength(1);
  });
});

describe('FailoverCounts', () => {
  it('counts by worker and reason, and forgets a worker', () => {
    const counts = new FailoverCounts();
    for (const workerId of ['w0', 'w0', 'w1']) counts.add(workerId, 'unavailable');
    expect(counts.read()[0]).toEqual({ workerId: 'w0', reason: 'unavailable', numFailovers: 2 });
    counts.forget('w0');
    expect(counts.read().map(({ workerId }) => workerId)).toEqual(['w1']);
  });
});
