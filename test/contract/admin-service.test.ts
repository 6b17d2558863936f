import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  ChangeProgress_State as State,
  PlanRequest,
  RebalanceRequest,
  type ChangeProgress,
  type PlacementPlan,
} from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { adminService } from '@expertmesh/shared/rpc/services';
import { startAdminServer, type AdminServer } from '@expertmesh/test-kit/admin-server';
import { ScriptedClusterAdmin } from '@expertmesh/test-kit/scripted-cluster-admin';

let leader: AdminServer;
let follower: AdminServer;
beforeEach(async () => {
  leader = await startAdminServer(new ScriptedClusterAdmin('c0'));
  follower = await startAdminServer(new ScriptedClusterAdmin('c1'));
  follower.admin.leader = leader.address;
});
afterEach(async () => {
  await Promise.all([leader.close(), follower.close()]);
});

const within = (deadlineMs = 5000) => ({ deadlineMs, signal: new AbortController().signal });

const planOf = (server: AdminServer): Promise<PlacementPlan> =>
  server.client.unary(adminService.planPlacement, PlanRequest.create(), within());

async function statesOf(changes: AsyncIterable<ChangeProgress>): Promise<State[]> {
  const states: State[] = [];
  for await (const { state } of changes) states.push(state);
  return states;
}

describe('AdminService', () => {
  it('shows the cluster as the coordinator that is asked sees it', async () => {
    const view = await follower.client.unary(adminService.getCluster, {}, within());
    expect(view).toMatchObject({ coordinatorId: 'c1', leaderId: 'c0', placementVersion: 1 });
    expect(view.workers.map(({ workerId }) => workerId)).toEqual(['w0', 'w1', 'w2']);
  });

  it('shows it again and again until the caller has enough', async () => {
    const views = leader.client.serverStream(adminService.watchCluster, { intervalMs: 100 }, within());
    const versions: number[] = [];
    for await (const { placementVersion } of views) if (versions.push(placementVersion) === 3) break;
    expect(versions).toEqual([1, 1, 1]);
  });

  it('refuses an interval that would only burn time', async () => {
    const views = leader.client.serverStream(adminService.watchCluster, { intervalMs: 3 }, within());
    await expect(views.next()).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('interval_ms is 3: it must be 100 to 60000') as string,
    });
  });

  it('writes into the audit who asked: the actor that is named, else where the call came from', async () => {
    await leader.client.unary(adminService.cordonWorker, { workerId: 'w1', actor: 'ada' }, within());
    await leader.client.unary(adminService.uncordonWorker, { workerId: 'w1', actor: '' }, within());
    const { records } = await leader.client.unary(adminService.listAudit, { limit: 0 }, within());
    expect(records.map(({ action, actor }) => [action, actor])).toEqual([
      ['uncordon', expect.stringMatching(/^grpc .*127\.0\.0\.1/)],
      ['cordon', 'ada'],
    ]);
  });

  it('keeps no long text for ever: the actor and the reason have a length', async () => {
    const [actor, reason] = ['x'.repeat(201), 'x'.repeat(1001)];
    const cordon = leader.client.unary(adminService.cordonWorker, { workerId: 'w1', actor }, within());
    await expect(cordon).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(cordon).rejects.toThrow('actor has 201 characters: it must have at most 200');
    const drain = leader.client.serverStream(adminService.drainWorker, { workerId: 'w1', actor }, within());
    await expect(drain.next()).rejects.toThrow('actor has 201 characters');
    const plan = await planOf(leader);
    const placement = plan.placement && { ...plan.placement, reason };
    const apply = leader.client.serverStream(
      adminService.applyPlacement,
      { plan: { ...plan, placement }, actor: '' },
      within(),
    );
    await expect(apply.next()).rejects.toThrow('reason has 1001 characters: it must have at most 1000');
    expect(leader.admin.auditRecords).toEqual([]);
  });

  it('applies a plan once: the second time its base is no longer in force', async () => {
    const plan = await planOf(leader);
    const apply = () => leader.client.serverStream(adminService.applyPlacement, { plan, actor: 'ada' }, within());
    expect(await statesOf(apply())).toEqual([
      State.STATE_PLANNED,
      State.STATE_MOVING,
      State.STATE_MOVING,
      State.STATE_DONE,
    ]);
    await expect(statesOf(apply())).rejects.toMatchObject({
      code: 'failed_precondition',
      message: 'c0: placement 1 is no longer in force, 2 is: plan again',
    });
  });

  it('lets a change go on when its caller leaves', async () => {
    leader.admin.stopAfterLayers = 1;
    const plan = await planOf(leader);
    for await (const { layersDone } of leader.client.serverStream(
      adminService.applyPlacement,
      { plan, actor: 'ada' },
      within(),
    ))
      if (layersDone === 1) break;
    expect(leader.admin.inForce.version).toBe(1);
    leader.admin.finishChange();
  });

  it('refuses windows that there are not, by their names', async () => {
    const request = { window: 'yesterday', withCoactivations: false };
    await expect(leader.client.unary(adminService.getExpertStats, request, within())).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining("window is 'yesterday': it must be one of recent, window, total") as string,
    });
  });

  it('records routes until enough tokens were recorded', async () => {
    const chunks = leader.client.serverStream(adminService.recordRoutes, { maxTokens: 3 }, within());
    const data: number[] = [];
    for await (const chunk of chunks) data.push(...chunk.data);
    expect(data).toEqual([0, 1, 2]);
  });

  it('ends those who watch and record when the coordinator ends', async () => {
    const watching = statesOfWatching(leader);
    await watching.next();
    leader.api.close();
    expect((await watching.next()).done).toBe(true);
  });
});

const statesOfWatching = (server: AdminServer) =>
  server.client.serverStream(adminService.watchCluster, { intervalMs: 60_000 }, within());

describe('a coordinator that does not lead', () => {
  it('passes commands on to the leader, with who asked', async () => {
    const outcome = await follower.client.unary(adminService.cordonWorker, { workerId: 'w1', actor: 'ada' }, within());
    expect(outcome.message).toBe('cordon: w1');
    expect(leader.admin.auditRecords).toMatchObject([{ action: 'cordon', actor: 'ada' }]);
    expect(follower.admin.auditRecords).toEqual([]);
  });

  it('passes plans and changes on, with their progress', async () => {
    const plan = await planOf(follower);
    const changes = follower.client.serverStream(adminService.applyPlacement, { plan, actor: '' }, within());
    expect((await statesOf(changes)).at(-1)).toBe(State.STATE_DONE);
    const request = RebalanceRequest.fromPartial({ dryRun: true });
    expect(await statesOf(follower.client.serverStream(adminService.rebalance, request, within()))).toEqual([
      State.STATE_PLANNED,
      State.STATE_NOT_NEEDED,
    ]);
  });

  it('hands the refusal of the leader back as it is', async () => {
    await expect(
      follower.client.unary(adminService.removeWorker, { workerId: 'w0', actor: '' }, within()),
    ).rejects.toMatchObject({
      code: 'failed_precondition',
      message: expect.stringMatching(
        /the leader at 127\.0\.0\.1:\d+: worker w0 holds 6 replicas: drain it first/,
      ) as string,
    });
  });

  it('does not pass on what was passed on: two that take each other for the leader make no circle', async () => {
    leader.admin.leader = follower.address;
    await expect(
      follower.client.unary(adminService.cordonWorker, { workerId: 'w1', actor: '' }, within()),
    ).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('c1 took this coordinator for the leader') as string,
    });
  });

  it('ends a call that it passed on when another coordinator leads, and says that the change goes on', async () => {
    leader.admin.stopAfterLayers = 1;
    const plan = await planOf(follower);
    const changes = follower.client.serverStream(adminService.applyPlacement, { plan, actor: '' }, within(30_000));
    let numTold = 0;
    await expect(async () => {
      for await (const progress of changes) {
        numTold += 1;
        if (progress.layersDone === 1) follower.admin.leader = undefined;
      }
    }).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/leads no longer: .* goes on under the next leader .*expertmesh top/) as string,
    });
    expect(numTold).toBeGreaterThan(0);
    leader.admin.finishChange();
  });

  it('says that the leader is gone, and finds the next one', async () => {
    await leader.close();
    const cordon = () => follower.client.unary(adminService.cordonWorker, { workerId: 'w1', actor: '' }, within());
    await expect(cordon()).rejects.toMatchObject({ code: 'unavailable' });
    leader = await startAdminServer(new ScriptedClusterAdmin('c0'));
    follower.admin.leader = leader.address;
    expect((await cordon()).message).toBe('cordon: w1');
  });
});
