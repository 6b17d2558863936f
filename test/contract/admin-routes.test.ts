import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startAdminServer, type AdminServer } from '@expertmesh/test-kit/admin-server';
import { startScriptedApi, type ScriptedApi } from '@expertmesh/test-kit/http-api';
import { ScriptedClusterAdmin } from '@expertmesh/test-kit/scripted-cluster-admin';

let cluster: AdminServer;
let api: ScriptedApi;
beforeEach(async () => {
  cluster = await startAdminServer(new ScriptedClusterAdmin());
  api = await startScriptedApi({ admin: cluster.api });
});
afterEach(async () => {
  await Promise.all([api.close(), cluster.close()]);
});

const get = async (path: string): Promise<unknown> => (await fetch(`${api.url}/admin/v1${path}`)).json();

/** The JSON of each server-sent event but the last, which says that it was. */
async function eventsOf(answer: Promise<Response>): Promise<unknown[]> {
  const response = await answer;
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const events = (await response.text()).trimEnd().split('\n\n');
  expect(events.pop()).toBe('data: [DONE]');
  return events.map((event) => JSON.parse(event.replace(/^data: /, '')) as unknown);
}

describe('GET /admin/v1', () => {
  it('shows the cluster with words in place of numbers', async () => {
    expect(await get('/cluster')).toMatchObject({
      coordinatorId: 'c0',
      placementVersion: 1,
      workers: [{ workerId: 'w0', availability: 'up', admission: 'accepting' }, {}, { availability: 'away' }],
    });
    expect(await get('/workers/w2')).toMatchObject({ reason: 'no heartbeat for 12 s' });
  });

  it('shows placements, their history, experts and the audit', async () => {
    expect(await get('/placement?version=1')).toMatchObject({ version: 1, policy: 'contiguous' });
    expect(await get('/placement/history?limit=5')).toMatchObject({ placements: [{ version: 1, layers: [] }] });
    expect(await get('/experts/stats?window=total')).toMatchObject({ window: 'total', numDeadExperts: 1 });
    expect(await get('/experts/load')).toEqual({
      window: 'recent',
      numTokens: 1000,
      numExperts: 4,
      layers: [{ layerIndex: 0, tokens: [1400, 300, 300, 0] }],
    });
    expect(await get('/audit')).toEqual({ records: [] });
  });

  it.each([
    ['/workers/w9', 404, 'there is no worker w9'],
    ['/placement?version=7', 404, 'there is no placement 7'],
    ['/placement?versoin=7', 400, 'Unknown field: versoin'],
    ['/experts/stats?window=never', 400, "window is 'never'"],
    ['/placement/history?limit=0', 400, 'limit must be at least 1'],
  ])('refuses %s with %d', async (path, status, message) => {
    const response = await fetch(`${api.url}/admin/v1${path}`);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error: { message: expect.stringContaining(message) as string } });
  });
});

describe('POST /admin/v1', () => {
  it('cordons in the name of whoever asks', async () => {
    expect(await (await api.post('/admin/v1/workers/w1/cordon', { actor: 'ada' })).json()).toEqual({
      message: 'cordon: w1',
    });
    await api.post('/admin/v1/workers/w1/uncordon', {});
    expect(cluster.admin.auditRecords.map(({ actor }) => actor)).toEqual(['ada', 'http 127.0.0.1']);
  });

  it('plans, applies the plan with progress as events, and refuses it the second time as a conflict', async () => {
    const plan: unknown = await (await api.post('/admin/v1/placement/plan', { redundantExperts: 2 })).json();
    expect(plan).toMatchObject({ baseVersion: 1, placement: { version: 2, policy: 'balanced' } });
    const events = await eventsOf(api.post('/admin/v1/placement/apply', { plan }));
    expect(events).toMatchObject([
      { state: 'planned' },
      { state: 'moving', layersDone: 1 },
      { state: 'moving', layersDone: 2 },
      { state: 'done', toVersion: 2 },
    ]);
    const again = await api.post('/admin/v1/placement/apply', { plan });
    expect(again.status).toBe(409);
    expect(await again.json()).toMatchObject({
      error: { message: 'placement 1 is no longer in force, 2 is: plan again', code: 'failed_precondition' },
    });
  });

  it('drains, rolls back and rebalances with progress as events', async () => {
    expect(await eventsOf(api.post('/admin/v1/workers/w1/drain', {}))).toMatchObject([{}, {}, {}, { state: 'done' }]);
    const rollback = api.post('/admin/v1/placement/rollback', { toVersion: 1, expectedVersion: 2 });
    expect((await eventsOf(rollback)).at(-1)).toMatchObject({ state: 'done', toVersion: 3 });
    expect(await eventsOf(api.post('/admin/v1/rebalance', { dryRun: true }))).toMatchObject([
      { state: 'planned', plan: { baseVersion: 3 } },
      { state: 'not-needed' },
    ]);
  });

  it('asks for a JSON body, which no web page sends unasked', async () => {
    const response = await fetch(`${api.url}/admin/v1/rebalance`, { method: 'POST' });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { message: expect.stringContaining('content-type: application/json') as string },
    });
  });

  it('names the field that is wrong', async () => {
    const response = await api.post('/admin/v1/placement/plan', { policy: 'best' });
    expect(await response.json()).toMatchObject({ error: { param: 'policy' } });
  });
});
