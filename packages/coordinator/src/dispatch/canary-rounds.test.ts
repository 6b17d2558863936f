import { contiguousPlacement, type Placement } from '@expertmesh/shared/placement/placement';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { DrivenClock } from '@expertmesh/test-kit/driven-clock';
import { settle } from '@expertmesh/test-kit/settle';
import { describe, expect, it } from 'vitest';
import { CanaryRounds } from './canary-rounds.js';
import { CurrentRouter } from './current-router.js';
import { WorkerStanding } from './worker-standing.js';
import { WrongAnswerError } from './wrong-answer-error.js';

const INTERVAL_MS = 60_000;
const LAYERS = [2, 5];
const EACH_TWICE: Placement = {
  ...contiguousPlacement(1, LAYERS, 6, ['w0', 'w1']),
  replicas: new Map(LAYERS.map((layerIndex) => [layerIndex, Array.from({ length: 6 }, () => [0, 1])])),
};

/** w1 has lost expert 3 of all layers. */
const WITHOUT_W1_3: Placement = {
  ...EACH_TWICE,
  version: 2,
  replicas: new Map(
    LAYERS.map((layerIndex) => [layerIndex, Array.from({ length: 6 }, (_, expert) => (expert === 3 ? [0] : [0, 1]))]),
  ),
};

type Answer = (workerId: string, expertId: number) => number;

const RIGHT: Answer = (_, expertId) => 1 + expertId;

/** @param hasStore whether the coordinator's store says what is right */
function start(answer: Answer = RIGHT, hasStore = true) {
  const clock = new DrivenClock();
  const router = new CurrentRouter(clock);
  const changes: string[] = [];
  const onQuarantine = (workerId: string, because?: string): void => {
    changes.push(`${workerId} ${because === undefined ? 'out' : 'in'}`);
  };
  const standing = new WorkerStanding({ clock, hedging: false, onQuarantine });
  const asked: string[] = [];
  const world: { answer: Answer; error: ExpertmeshError | undefined } = { answer, error: undefined };
  const rounds = new CanaryRounds({
    router,
    standing,
    clock,
    links: { isConnected: () => true },
    intervalMs: INTERVAL_MS,
    isBusy: () => false,
    storedReference: (_, expertId) =>
      hasStore
        ? Promise.resolve(new Float32Array(16).fill(RIGHT('', expertId)))
        : Promise.reject(new Error('the blob is missing')),
    probes: {
      probeExperts: (workerId, layerIndex, expertIds) => {
        asked.push(...expertIds.map((expertId) => `${workerId} ${String(layerIndex)} ${String(expertId)}`));
        if (world.error !== undefined) return Promise.reject(world.error);
        const rows = expertIds.map((expertId) => new Float32Array(16).fill(world.answer(workerId, expertId)));
        if (!rows.every((row) => Number.isFinite(row[0]))) {
          standing.wrong(workerId, 'not_finite', 'NaN');
          return Promise.reject(new WrongAnswerError('not_finite', 'NaN'));
        }
        return Promise.resolve(rows);
      },
    },
  });
  router.setPlacement(EACH_TWICE);
  const run = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 50) {
      clock.advance(50);
      await settle();
    }
  };
  return { changes, clock, router, standing, asked, rounds, run, world };
}

const ALL = ['w0', 'w1'].flatMap((workerId) =>
  LAYERS.flatMap((layer) => Array.from({ length: 6 }, (_, expert) => `${workerId} ${String(layer)} ${String(expert)}`)),
);

describe('CanaryRounds', () => {
  it('asks every replica soon after it came, and all of a worker again that came back', async () => {
    const { asked, rounds, run } = start();
    await run(5_000);
    expect([...new Set(asked)].sort()).toEqual([...ALL].sort());
    asked.length = 0;
    rounds.cameUp('w1');
    await run(5_000);
    expect(new Set(asked.filter((one) => one.startsWith('w1'))).size).toBe(12);
  });

  it('asks in a round once for every worker and layer, another expert each time, and for all in the end', async () => {
    const { asked, run } = start();
    await run(10_000);
    asked.length = 0;
    await run(INTERVAL_MS);
    expect(asked.length).toBeGreaterThanOrEqual(4);
    expect(asked.length).toBeLessThanOrEqual(5);
    await run(6 * INTERVAL_MS);
    expect(new Set(asked).size).toBe(ALL.length);
  });

  it('quarantines a worker whose answers drift, and takes it back when they are right again', async () => {
    const { standing, run, world } = start();
    await run(5_000);
    world.answer = (workerId, expertId) => (workerId === 'w1' && expertId === 3 ? 1.3 * 4 : 1 + expertId);
    await run(7 * INTERVAL_MS);
    expect(standing.quarantine.list()).toMatchObject([
      {
        workerId: 'w1',
        because: expect.stringMatching(/expert 3 of layer \d answers the canary row 30\.0 % off/) as string,
      },
    ]);
    expect(standing.wrongAnswers.read()).toMatchObject([{ workerId: 'w1', kind: 'drift' }]);
    world.answer = (_, expertId) => 1 + expertId;
    await run(2 * INTERVAL_MS);
    expect(standing.quarantine.list()).toEqual([]);
  });

  it('takes no worker back before all that it drifted in is right', async () => {
    const { changes, run, world } = start((workerId, expertId) => (workerId === 'w1' ? 1.3 : 1) * (1 + expertId));
    await run(2_000);
    expect(changes).toEqual(['w1 in']);
    world.answer = (workerId, expertId) => (workerId === 'w1' && expertId === 0 ? 1.3 : 1) * (1 + expertId);
    await run(2 * INTERVAL_MS);
    expect(changes).toEqual(['w1 in']);
    world.answer = (_, expertId) => 1 + expertId;
    await run(2 * INTERVAL_MS);
    expect(changes).toEqual(['w1 in', 'w1 out']);
  });

  it('takes a worker back that does not have any more what it drifted in, and asks it again when it has', async () => {
    const { router, standing, asked, run, world } = start();
    await run(5_000);
    world.answer = (workerId, expertId) => (workerId === 'w1' && expertId === 3 ? 1.3 * 4 : 1 + expertId);
    await run(7 * INTERVAL_MS);
    expect(standing.quarantine.isDrifting('w1')).toBe(true);
    router.setPlacement(WITHOUT_W1_3);
    await run(2 * INTERVAL_MS);
    expect(standing.quarantine.list()).toEqual([]);
    world.answer = (_, expertId) => 1 + expertId;
    asked.length = 0;
    router.setPlacement({ ...EACH_TWICE, version: 3 });
    await run(1_000);
    expect(asked).toEqual(expect.arrayContaining(['w1 2 3', 'w1 5 3']));
    expect(asked).not.toContain('w1 2 1');
  });

  it('keeps a worker in quarantine that fails its exams', async () => {
    const { standing, run, world } = start();
    await run(5_000);
    world.answer = (workerId) => (workerId === 'w0' ? NaN : 1);
    for (let count = 0; count < 3; count++) standing.wrong('w0', 'not_finite', 'NaN');
    await run(INTERVAL_MS);
    expect(standing.quarantine.has('w0')).toBe(true);
  });

  it('takes the first answer for no truth: who answers first and wrongly is found, and not the others', async () => {
    const { standing, run, world } = start((workerId, expertId) => (workerId === 'w0' ? 1.3 : 1) * (1 + expertId));
    await run(5_000);
    expect(standing.quarantine.list()).toMatchObject([
      { workerId: 'w0', because: expect.stringContaining('30.0 % off what is right') as string },
    ]);
    world.answer = RIGHT;
    await run(2 * INTERVAL_MS);
    expect(standing.quarantine.list()).toEqual([]);
  });

  it('doubts all that contradict each other while the store cannot say who is right', async () => {
    const { standing, run, world } = start(
      (workerId, expertId) => (workerId === 'w0' ? 1.3 : 1) * (1 + expertId),
      false,
    );
    await run(5_000);
    expect(standing.quarantine.list().map(({ workerId }) => workerId)).toEqual(['w0', 'w1']);
    expect(standing.quarantine.list()[0]?.because).toContain('which is right is not known: the blob is missing');
    world.answer = RIGHT;
    await run(3 * INTERVAL_MS);
    expect(standing.quarantine.list()).toEqual([]);
  });

  it('finds a worker that contradicts itself, also where no other has the expert', async () => {
    const { router, standing, run, world } = start();
    router.setPlacement({ ...contiguousPlacement(2, LAYERS, 6, ['w0', 'w1']) });
    await run(5_000);
    world.answer = (workerId, expertId) => (workerId === 'w1' ? 1.3 : 1) * (1 + expertId);
    await run(INTERVAL_MS);
    expect(standing.quarantine.list()).toMatchObject([{ workerId: 'w1' }]);
  });

  it('keeps a worker in quarantine that is not placed, until it is and is asked', async () => {
    const { router, standing, asked, run } = start();
    await run(5_000);
    for (let count = 0; count < 3; count++) standing.wrong('w1', 'not_finite', 'NaN');
    router.setPlacement({ ...contiguousPlacement(2, LAYERS, 6, ['w0']) });
    await run(INTERVAL_MS);
    expect(standing.quarantine.has('w1')).toBe(true);
    asked.length = 0;
    router.setPlacement({ ...EACH_TWICE, version: 3 });
    await run(1_200);
    expect(standing.quarantine.has('w1')).toBe(false);
    expect(asked.some((one) => one.startsWith('w1'))).toBe(true);
  });

  it.each(['deadline_exceeded', 'unavailable'] as const)('takes %s for no failed exam', async (code) => {
    const { standing, run, world } = start();
    await run(5_000);
    for (let count = 0; count < 3; count++) standing.wrong('w1', 'not_finite', 'NaN');
    world.error = new ExpertmeshError(code, 'busy');
    await run(INTERVAL_MS);
    expect(standing.quarantine.has('w1')).toBe(true);
    world.error = undefined;
    await run(1_200);
    expect(standing.quarantine.has('w1')).toBe(false);
  });

  it('leaves no timer when it is closed', async () => {
    const { clock, rounds, run } = start();
    await run(1_000);
    rounds.close();
    await settle();
    expect(clock.numTimers).toBe(0);
  });
});
