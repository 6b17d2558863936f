import { describe, expect, it } from 'vitest';
import {
  EACH_TWICE,
  expectAllSums,
  HIDDEN_SIZE,
  placementOf,
  refused,
  startCluster,
  WORKER_IDS,
} from '@expertmesh/test-kit/simple-expert-cluster';
import { answering, holdCalls } from '@expertmesh/test-kit/simple-expert-server';
import { simpleLayerCall } from '@expertmesh/test-kit/simple-layer-call';
import { until } from '@expertmesh/test-kit/until';

describe('hedging', () => {
  /** Enough answers to know how long they take. */
  const NUM_LEARNED = 40;
  const alone = simpleLayerCall(5, HIDDEN_SIZE, [[0]]);

  it('asks another replica when a worker is late, avoids that until it is heard, and drops its answer', async () => {
    const { dispatcher, servers } = await startCluster(EACH_TWICE, { hedging: true });
    for (let round = 0; round < 2 * NUM_LEARNED; round++) await dispatcher.dispatch(alone);
    const held = servers.map(holdCalls);
    const numBefore = servers.map(({ calls }) => calls.length);
    const pending = dispatcher.dispatch(alone);
    await until(() => servers.some(({ calls }, index) => calls.length > (numBefore[index] ?? 0)));
    const late = servers.findIndex(({ calls }, index) => calls.length > (numBefore[index] ?? 0));
    for (const [index, server] of servers.entries())
      if (index !== late) server.behaviour = answering((answer) => answer);
    expectAllSums(await pending, alone);
    const workerId = WORKER_IDS[late] ?? '';
    expect(dispatcher.stats().hedges).toEqual([{ workerId, numHedges: 1, numWon: 1 }]);
    expectAllSums(await dispatcher.dispatch(alone), alone);
    expect(servers[late]?.calls).toHaveLength((numBefore[late] ?? 0) + 1);
    expect(dispatcher.stats().workers[late]).toMatchObject({ numInFlight: 0, numLateAnswers: 0 });
    held[late]?.answer();
    await until(() => dispatcher.stats().workers[late]?.numLateAnswers === 1);
    expect(dispatcher.stats().hedges).toEqual([{ workerId, numHedges: 1, numWon: 1 }]);
  });

  it('asks a replica in quarantine where the other one stands still, and goes on asking that', async () => {
    const { dispatcher, servers } = await startCluster([[0, 1], [0], [0], [2], [2], [2]], { hedging: true });
    for (let round = 0; round < 2 * NUM_LEARNED; round++) await dispatcher.dispatch(alone);
    const [quarantined, stopped] = servers;
    // What the first of them holds alone is asked for until it is right.
    let numLeft = 3;
    quarantined.behaviour = answering((answer) => (numLeft-- > 0 ? { ...answer, layerIndex: 6 } : answer));
    await dispatcher.dispatch(simpleLayerCall(5, HIDDEN_SIZE, [[1]]));
    expect(dispatcher.stats().quarantined).toMatchObject([{ workerId: 'w0' }]);
    const { arrived, answer } = holdCalls(stopped);
    const pending = dispatcher.dispatch(alone);
    await arrived;
    expectAllSums(await pending, alone);
    for (let round = 0; round < 3; round++) expectAllSums(await dispatcher.dispatch(alone), alone);
    expect(dispatcher.stats().hedges).toEqual([{ workerId: 'w1', numHedges: 1, numWon: 1 }]);
    answer();
  });

  it('counts no win for the other replica where the late call is answered first', async () => {
    const { dispatcher, servers } = await startCluster(EACH_TWICE, { hedging: true });
    for (let round = 0; round < 2 * NUM_LEARNED; round++) await dispatcher.dispatch(alone);
    const numBefore = servers.map(({ calls }) => calls.length);
    const held = servers.map(holdCalls);
    const pending = dispatcher.dispatch(alone);
    const asked = () => servers.flatMap(({ calls }, index) => (calls.length > (numBefore[index] ?? 0) ? [index] : []));
    await until(() => asked().length > 0);
    const [late = 0] = asked();
    await until(() => asked().length > 1);
    held[late]?.answer();
    expectAllSums(await pending, alone);
    for (const { answer } of held) answer();
    await until(() => dispatcher.stats().workers.every(({ numInFlight }) => numInFlight === 0));
    expect(dispatcher.stats().hedges).toEqual([{ workerId: WORKER_IDS[late], numHedges: 1, numWon: 0 }]);
  });

  it('withdraws the calls to other replicas where the late call is answered first', async () => {
    const { dispatcher, servers } = await startCluster([[0, 1, 2], [0], [0], [0], [0], [0]], { hedging: true });
    for (let round = 0; round < 3 * NUM_LEARNED; round++) await dispatcher.dispatch(alone);
    const numBefore = servers.map(({ calls }) => calls.length);
    const held = servers.map(holdCalls);
    const asked = () => servers.flatMap(({ calls }, index) => (calls.length > (numBefore[index] ?? 0) ? [index] : []));
    const pending = dispatcher.dispatch(alone);
    await until(() => asked().length > 0);
    const [late = 0] = asked();
    // The hedge is late, too, and is hedged itself.
    await until(() => asked().length === 3);
    const numSent = servers.map(({ calls }) => calls.length);
    held[late]?.answer();
    expectAllSums(await pending, alone);
    expect(dispatcher.stats().workers.map(({ numInFlight }) => numInFlight)).toEqual([0, 0, 0]);
    await dispatcher.setPlacement(placementOf(2, [[0, 1, 2], [0], [0], [0], [0], [0]]));
    for (const [index, { answer }] of held.entries()) if (index !== late) answer();
    await until(() => dispatcher.stats().workers.reduce((sum, { numLateAnswers }) => sum + numLateAnswers, 0) === 2);
    expect(servers.map(({ calls }) => calls.length)).toEqual(numSent);
  });

  it('takes the late answer where the other replica fails', async () => {
    const { dispatcher, servers } = await startCluster(EACH_TWICE, { hedging: true });
    for (let round = 0; round < 2 * NUM_LEARNED; round++) await dispatcher.dispatch(alone);
    const numBefore = servers.map(({ calls }) => calls.length);
    const held = servers.map(holdCalls);
    const pending = dispatcher.dispatch(alone);
    await until(() => servers.some(({ calls }, index) => calls.length > (numBefore[index] ?? 0)));
    const late = servers.findIndex(({ calls }, index) => calls.length > (numBefore[index] ?? 0));
    for (const [index, server] of servers.entries())
      if (index !== late)
        server.behaviour = answering((answer) => refused(answer, { code: 'unavailable', message: 'draining' }));
    await until(() => dispatcher.stats().hedges.length > 0);
    await until(() => dispatcher.stats().workers.some(({ numFailedCalls }) => numFailedCalls > 0));
    held[late]?.answer();
    expectAllSums(await pending, alone);
    expect(dispatcher.stats().hedges).toMatchObject([{ numHedges: 1, numWon: 0 }]);
  });
});
