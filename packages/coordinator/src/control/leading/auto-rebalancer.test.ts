import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { BalanceView, WorkerCommand } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { contiguousPlacement } from '@expertmesh/shared/placement/placement';
import { createLogger } from '@expertmesh/shared/process/logger';
import { describe, expect, it } from 'vitest';
import { setUpPlaced } from '@expertmesh/test-kit/leading-cluster';
import { AutoRebalancer } from './auto-rebalancer.js';

const COOLDOWN_MS = 60_000;

/** The load is always uneven, and a window ends every second. */
async function setUp() {
  const all = await setUpPlaced();
  const { planner, changes, duties, clock, begun, audits, pass } = all;
  let endWindow = (): void => undefined;
  const swapped = contiguousPlacement(0, [0, 1], 8, ['b', 'a', 'c']);
  const rebalancer = new AutoRebalancer({
    policy: { mode: 'auto', threshold: 0.8, minGain: -1, cooldownMs: COOLDOWN_MS, quietHours: undefined },
    minTokens: 1,
    monitor: {
      onWindow: (listener) => {
        endWindow = listener;
        return () => undefined;
      },
      balance: () => BalanceView.create({ worstBalancedness: 0.5 }),
      tokensInWindow: 1,
    },
    office: () => begun,
    planner: {
      make: async (wish, signal) => {
        const made = await planner.make(wish, signal);
        return { ...made, plan: { ...made.plan, placement: swapped } };
      },
    },
    changes,
    mayChange: () => duties.mayChange,
    logger: createLogger({ name: 'test', level: 'silent' }),
    clock,
    now: () => new Date(0),
  });
  const passWindows = async (ms: number): Promise<void> => {
    for (let passedMs = 0; passedMs < ms; passedMs += 1_000) {
      endWindow();
      await pass(1_000);
    }
  };
  const outcomes = (): string[] => audits.slice(1).map(({ outcome }) => outcome);
  return { ...all, rebalancer, passWindows, outcomes };
}

describe('AutoRebalancer', () => {
  it('waits for longer than the cooldown, and ever longer, after changes that were taken back', async () => {
    const { rebalancer, passWindows, outcomes, world } = await setUp();
    world.holdsAll = () => {
      throw new ExpertmeshError('data_loss', 'worker a: a blob is corrupt');
    };
    await passWindows(2_000);
    expect(outcomes()).toEqual(['rolled back: worker a: a blob is corrupt']);
    await passWindows(COOLDOWN_MS + 20_000);
    expect(outcomes()).toHaveLength(1);
    await passWindows(COOLDOWN_MS);
    expect(outcomes()).toHaveLength(2);
    await passWindows(3 * COOLDOWN_MS);
    expect(outcomes()).toHaveLength(2);
    world.holdsAll = () => true;
    await passWindows(2 * COOLDOWN_MS);
    expect(outcomes().at(-1)).toBe('done');
    rebalancer.close();
  });

  it('lets a drain go first that waits for its turn', async () => {
    const { rebalancer, passWindows, outcomes, drains, begun, planner } = await setUp();
    const make = planner.make.bind(planner);
    let numPlans = 0;
    planner.make = (wish, signal) => {
      numPlans++;
      return wish.leaving === undefined ? make(wish, signal) : new Promise(() => undefined);
    };
    await drains.begin(WorkerCommand.create({ workerId: 'a', actor: 'ada' }), begun);
    await passWindows(60_000);
    expect([numPlans, outcomes()]).toEqual([1, ['begun']]);
    rebalancer.close();
  });
});
