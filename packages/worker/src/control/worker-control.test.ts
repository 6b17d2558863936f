import { describe, expect, it } from 'vitest';
import { WorkerState, type LoadProgress, type LoadRequest } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { eightExperts as store } from '@expertmesh/test-kit/eight-experts';
import { FakeCompute } from '@expertmesh/test-kit/fake-compute';
import { type Assignment } from '../shards/assignment.js';
import { WorkerControl } from './worker-control.js';

const NEVER = new AbortController().signal;
const noProgress = (): void => undefined;
const { WORKER_STATE_IDLE, WORKER_STATE_LOADING, WORKER_STATE_SERVING, WORKER_STATE_DRAINING } = WorkerState;

const EPOCH = 3;

const assign = (placementVersion: number, ...expertIds: number[]): Assignment => ({
  epoch: EPOCH,
  placementVersion,
  storeId: 'ab12',
  shards: [{ layerIndex: 0, expertIds }],
});

const load = (placementVersion: number): LoadRequest => ({ placementVersion, epoch: EPOCH, sources: [] });

const progressOf = (loadedLayers: number): LoadProgress => ({
  placementVersion: 1,
  loadedBytes: 0,
  totalBytes: 0,
  loadedLayers,
  totalLayers: 2,
});

function openControl() {
  const compute = new FakeCompute();
  const serving: boolean[] = [];
  const control = new WorkerControl({
    store,
    memory: { provider: 'native', memoryBudgetBytes: 1_000_000 },
    compute,
    onServing: (isServing) => serving.push(isServing),
  });
  const serve = async (assignment: Assignment): Promise<void> => {
    control.assign(assignment);
    const loaded = control.load(load(assignment.placementVersion), noProgress, NEVER);
    compute.finishLoad();
    await loaded;
  };
  return { control, compute, serving, serve };
}

describe('WorkerControl', () => {
  it('does not hold an expert that was withdrawn during a load, which may have read the same pages', async () => {
    const { control, compute } = openControl();
    control.assign(assign(1, 2, 3));
    const loaded = control.load(load(1), noProgress, NEVER);
    await control.withdraw(0, 3, 'expert-003 differs');
    await control.withdraw(1, 3, 'expert-003 differs');
    compute.finishLoad();
    await loaded;
    expect(control.state()).toMatchObject({ numExpertsLoaded: 1, shards: [{ layerIndex: 0, expertIds: [2] }] });
    expect(compute.events).toEqual(['load 1', 'withdraw 0/3', 'withdraw 1/3', 'withdraw 0/3']);
  });

  it('goes from idle over loading to serving', async () => {
    const { control, compute, serving } = openControl();
    expect(control.state()).toEqual({
      state: WORKER_STATE_IDLE,
      epoch: 0,
      placementVersion: 0,
      packedBytes: 0,
      numExpertsLoaded: 0,
      numWithdrawnExperts: 0,
      lastDamage: '',
      shards: [],
    });
    control.assign(assign(1, 2, 3));
    expect(control.state().state).toBe(WORKER_STATE_IDLE);
    const loaded = control.load(load(1), noProgress, NEVER);
    expect(control.state().state).toBe(WORKER_STATE_LOADING);
    compute.finishLoad();
    await loaded;
    expect(control.state()).toEqual({
      state: WORKER_STATE_SERVING,
      epoch: EPOCH,
      placementVersion: 1,
      packedBytes: 2000,
      numExpertsLoaded: 2,
      numWithdrawnExperts: 0,
      lastDamage: '',
      shards: [{ layerIndex: 0, expertIds: [2, 3] }],
    });
    expect(serving).toEqual([true]);
  });

  it('goes on serving the old version while the next is loaded', async () => {
    const { control, compute, serve } = openControl();
    await serve(assign(1, 2));
    control.assign(assign(2, 3));
    const loaded = control.load(load(2), noProgress, NEVER);
    expect(control.state()).toMatchObject({ state: WORKER_STATE_LOADING, placementVersion: 1 });
    compute.finishLoad();
    await loaded;
    expect(control.state().placementVersion).toBe(2);
  });

  it('refuses to load what is not assigned', async () => {
    const { control } = openControl();
    await expect(control.load(load(1), noProgress, NEVER)).rejects.toMatchObject({ code: 'failed_precondition' });
    control.assign(assign(1, 2));
    await expect(control.load(load(2), noProgress, NEVER)).rejects.toThrow(/version 2 is not assigned, version 1 is/);
  });

  it('shares one load among coordinators that ask for the same, and tells the later one how far it is', async () => {
    const { control, compute } = openControl();
    control.assign(assign(1, 2));
    const first = control.load(load(1), noProgress, NEVER);
    compute.tellProgress(progressOf(1));
    control.assign(assign(1, 2));
    const told: number[] = [];
    const second = control.load(load(1), ({ loadedLayers }) => told.push(loadedLayers), NEVER);
    compute.tellProgress(progressOf(2));
    compute.finishLoad();
    await Promise.all([first, second]);
    expect(compute.events).toEqual(['load 1']);
    expect(told).toEqual([1, 2]);
  });

  it('goes on loading until the last of its callers has given up', async () => {
    const { control, compute } = openControl();
    control.assign(assign(1, 2));
    const [first, second] = [new AbortController(), new AbortController()];
    const loads = [
      control.load(load(1), noProgress, first.signal),
      control.load(load(1), () => undefined, second.signal),
    ];
    first.abort();
    expect(control.state().state).toBe(WORKER_STATE_LOADING);
    second.abort();
    for (const load of loads) await expect(load).rejects.toMatchObject({ code: 'cancelled' });
    expect(control.state().state).toBe(WORKER_STATE_IDLE);
    expect(compute.events).toEqual(['load 1']);
  });

  it('starts anew for a coordinator that comes back while its cancelled load is ending', async () => {
    const { control, compute } = openControl();
    control.assign(assign(1, 2));
    const abort = new AbortController();
    const cancelled = expect(control.load(load(1), noProgress, abort.signal)).rejects.toMatchObject({
      code: 'cancelled',
    });
    abort.abort();
    control.assign(assign(2, 3));
    const loaded = control.load(load(2), noProgress, NEVER);
    await cancelled;
    await expect.poll(() => compute.events).toEqual(['load 1', 'load 2']);
    compute.finishLoad();
    await loaded;
    expect(control.state().placementVersion).toBe(2);
  });

  it('starts one load for all who wait for a cancelled one to end', async () => {
    const { control, compute } = openControl();
    control.assign(assign(1, 2));
    const abort = new AbortController();
    const cancelled = expect(control.load(load(1), noProgress, abort.signal)).rejects.toMatchObject({
      code: 'cancelled',
    });
    abort.abort();
    control.assign(assign(2, 3));
    const loads = [control.load(load(2), noProgress, NEVER), control.load(load(2), () => undefined, NEVER)];
    await cancelled;
    await expect.poll(() => compute.events).toEqual(['load 1', 'load 2']);
    compute.finishLoad();
    await Promise.all(loads);
    expect(compute.events).toEqual(['load 1', 'load 2']);
  });

  it('refuses another assignment while one is being loaded', async () => {
    const { control, compute } = openControl();
    control.assign(assign(1, 2));
    const loaded = control.load(load(1), noProgress, NEVER);
    expect(() => control.assign(assign(2, 3))).toThrow(/placement version 1 is being loaded/);
    compute.finishLoad();
    await loaded;
    expect(control.assign(assign(2, 3)).packedBytes).toBe(1000);
  });

  it('refuses every command of a leader that has been replaced, and says who commands', async () => {
    const { control, compute, serve } = openControl();
    await serve({ ...assign(1, 2), epoch: 1 });
    await serve(assign(2, 3));
    const refused = expect.objectContaining({
      code: 'failed_precondition',
      message: expect.stringMatching(/of epoch 2, epoch 3 commands this worker: .* leave the command to it/) as string,
    }) as Error;
    expect(() => control.assign({ ...assign(3, 4), epoch: EPOCH - 1 })).toThrow(refused);
    await expect(control.load({ ...load(2), epoch: EPOCH - 1 }, noProgress, NEVER)).rejects.toEqual(refused);
    await expect(control.unload({ epoch: EPOCH - 1 })).rejects.toEqual(refused);
    expect(compute.events).toEqual(['load 1', 'load 2']);
    expect(control.state()).toMatchObject({ state: WORKER_STATE_SERVING, epoch: EPOCH, placementVersion: 2 });
  });

  it('ends the load that a former leader began when the new one assigns something else', async () => {
    const { control, compute } = openControl();
    control.assign(assign(1, 2));
    const former = expect(control.load(load(1), noProgress, NEVER)).rejects.toMatchObject({ code: 'cancelled' });
    control.assign({ ...assign(1, 3), epoch: EPOCH + 1 });
    const loaded = control.load({ ...load(1), epoch: EPOCH + 1 }, noProgress, NEVER);
    await former;
    await expect.poll(() => compute.events).toEqual(['load 1', 'load 1']);
    compute.finishLoad();
    await loaded;
    expect(control.state().shards).toEqual([{ layerIndex: 0, expertIds: [3] }]);
  });

  it('serves nothing, as assigned', async () => {
    const { control, serving, serve } = openControl();
    await serve(assign(1, 2));
    await serve({ ...assign(2), shards: [] });
    expect(control.state()).toMatchObject({ state: WORKER_STATE_SERVING, placementVersion: 2, numExpertsLoaded: 0 });
    expect(serving).toEqual([true, true]);
  });

  it('forgets everything when it unloads, also a load under way', async () => {
    const { control, compute, serving, serve } = openControl();
    await serve(assign(1, 2));
    control.assign(assign(2, 3));
    const loaded = control.load(load(2), noProgress, NEVER);
    const unloaded = control.unload({ epoch: EPOCH });
    await expect(loaded).rejects.toMatchObject({ code: 'cancelled' });
    await unloaded;
    expect(compute.events).toEqual(['load 1', 'load 2', 'unload']);
    expect(control.state()).toMatchObject({ state: WORKER_STATE_IDLE, placementVersion: 0 });
    expect(serving).toEqual([true, false]);
    await expect(control.load(load(2), noProgress, NEVER)).rejects.toThrow(/nothing is: assign it first/);
  });

  it('never unloads while another load is under way', async () => {
    const { control, compute } = openControl();
    control.assign(assign(1, 2));
    const abort = new AbortController();
    const loads = [control.load(load(1), noProgress, abort.signal)];
    abort.abort();
    control.assign(assign(2, 3));
    loads.push(control.load(load(2), noProgress, NEVER));
    const unloaded = control.unload({ epoch: EPOCH });
    control.assign(assign(2, 3));
    for (const load of loads) await expect(load).rejects.toMatchObject({ code: 'cancelled' });
    await unloaded;
    expect(compute.events).toEqual(['load 1', 'load 2', 'unload']);
    expect(control.state().state).toBe(WORKER_STATE_IDLE);
  });

  it('counts what it has withdrawn until that is loaded again, and keeps why', async () => {
    const { control, serve } = openControl();
    await serve(assign(1, 2, 3));
    await control.withdraw(0, 3, 'expert-003 differs');
    expect(control.state()).toMatchObject({
      numExpertsLoaded: 1,
      numWithdrawnExperts: 1,
      lastDamage: 'expert-003 differs',
      shards: [{ layerIndex: 0, expertIds: [2] }],
    });
    await serve(assign(1, 2, 3));
    expect(control.state()).toMatchObject({ numWithdrawnExperts: 0, lastDamage: 'expert-003 differs' });
    await control.withdraw(0, 2, 'expert-002 differs');
    await control.unload({ epoch: EPOCH });
    expect(control.state()).toMatchObject({ numExpertsLoaded: 0, numWithdrawnExperts: 0 });
  });

  it('takes no experts once it drains', async () => {
    const { control, serving, serve } = openControl();
    await serve(assign(1, 2));
    expect(await control.drain(NEVER)).toBe(2);
    expect(control.state().state).toBe(WORKER_STATE_DRAINING);
    expect(serving).toEqual([true, false]);
    expect(() => control.assign(assign(2, 3))).toThrow(expect.objectContaining({ code: 'unavailable' }));
    await expect(control.load(load(1), noProgress, NEVER)).rejects.toMatchObject({ code: 'unavailable' });
  });
});
