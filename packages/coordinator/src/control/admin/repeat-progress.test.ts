import { expect, it } from 'vitest';
import { ChangeProgress, PlacementPlan } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { DrivenClock } from '@expertmesh/test-kit/driven-clock';
import { repeatProgress } from './repeat-progress.js';

const progress = (layersDone: number): ChangeProgress =>
  ChangeProgress.fromPartial({ layersDone, plan: PlacementPlan.create() });

it('repeats the last while nothing new is told, without its plan', async () => {
  const clock = new DrivenClock();
  let tellMore = (): void => undefined;
  async function* source(): AsyncGenerator<ChangeProgress> {
    yield progress(1);
    await new Promise<void>((resolve) => (tellMore = resolve));
    yield progress(2);
  }
  const repeated = repeatProgress(source(), 5_000, clock);
  expect((await repeated.next()).value).toMatchObject({ layersDone: 1, plan: {} });
  const again = repeated.next();
  await Promise.resolve();
  clock.advance(5_000);
  expect(await again).toMatchObject({ value: { layersDone: 1, plan: undefined } });
  const news = repeated.next();
  tellMore();
  expect(await news).toMatchObject({ value: { layersDone: 2 } });
  expect((await repeated.next()).done).toBe(true);
});

it('hands a failure on', async () => {
  async function* source(): AsyncGenerator<ChangeProgress> {
    await Promise.resolve();
    throw new Error('no such plan');
  }
  await expect(repeatProgress(source(), 5_000, new DrivenClock()).next()).rejects.toThrow('no such plan');
});

it('can be left while the source has nothing to tell', async () => {
  const clock = new DrivenClock();
  let tell = (): void => undefined;
  const gate = new Promise<void>((resolve) => (tell = resolve));
  let isLeft = false;
  async function* source(): AsyncGenerator<ChangeProgress> {
    try {
      yield progress(1);
      await gate;
      yield progress(2);
    } finally {
      isLeft = true;
    }
  }
  const repeated = repeatProgress(source(), 5_000, clock);
  await repeated.next();
  const again = repeated.next();
  await Promise.resolve();
  clock.advance(5_000);
  await again;
  await repeated.return();
  expect(isLeft).toBe(false);
  tell();
  await new Promise(setImmediate);
  expect(isLeft).toBe(true);
});
