import { describe, expect, it } from 'vitest';
import { EACH_ONCE, EACH_TWICE, placementOf, startCluster, without } from '@expertmesh/test-kit/simple-expert-cluster';
import { answering, simpleExpert } from '@expertmesh/test-kit/simple-expert-server';

describe('probeReplica', () => {
  it('gives what a worker computes, whatever the placement says of it, and the same for two replicas', async () => {
    const { dispatcher, servers } = await startCluster(EACH_ONCE);
    const rows = await Promise.all(['w1', 'w2'].map((workerId) => dispatcher.probeReplica(workerId, 5, 0)));
    expect(rows[0]).toEqual(rows[1]);
    expect(rows[0]?.[0]).toBeCloseTo(simpleExpert(-0.75, 0));
    expect(servers[0].calls).toHaveLength(0);
  });

  it('fails for a worker that does not hold the expert, that answers wrongly, or that is away', async () => {
    const { dispatcher, servers } = await startCluster(EACH_ONCE);
    servers[0].behaviour = without(0);
    await expect(dispatcher.probeReplica('w0', 5, 0)).rejects.toMatchObject({ code: 'failed_precondition' });
    servers[0].behaviour = answering((answer) => ({ ...answer, rows: answer.rows.fill(Infinity) }));
    await expect(dispatcher.probeReplica('w0', 5, 0)).rejects.toMatchObject({ code: 'data_loss' });
    await expect(dispatcher.probeReplica('stranger', 5, 0)).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('probe', () => {
  it('leaves out a worker that is away while every expert of it has another replica, and no other', async () => {
    const { dispatcher, servers } = await startCluster(EACH_TWICE);
    dispatcher.setWorkerDown('w1', 'it missed its heartbeats');
    await dispatcher.probe(5);
    expect(servers.map(({ calls }) => calls.length)).toEqual([1, 0, 1]);
    await dispatcher.setPlacement(placementOf(2, EACH_ONCE));
    await expect(dispatcher.probe(5)).rejects.toThrow('it missed its heartbeats');
  });

  it('spares a worker that has not loaded anything yet, or answers wrongly, in the same way', async () => {
    const { dispatcher, servers } = await startCluster(EACH_TWICE);
    servers[1].behaviour = without(0, 1, 2, 3, 4, 5);
    await dispatcher.probe(5);
    servers[0].behaviour = without(0, 1, 2, 3, 4, 5);
    await expect(dispatcher.probe(5)).rejects.toThrow('is not on this worker');
    servers[0].behaviour = answering((answer) => answer);
    await dispatcher.probe(5);
    servers[1].behaviour = answering((answer) => ({ ...answer, rows: answer.rows.fill(NaN) }));
    await dispatcher.probe(5);
    await dispatcher.setPlacement(placementOf(2, EACH_ONCE));
    await expect(dispatcher.probe(5)).rejects.toMatchObject({ code: 'data_loss' });
  });
});
