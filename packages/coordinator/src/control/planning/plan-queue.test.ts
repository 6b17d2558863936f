import { describe, expect, it } from 'vitest';
import { settle } from '@expertmesh/test-kit/settle';
import { PlanQueue } from './plan-queue.js';

/** Plans that end when the test lets them. */
function setUp() {
  const queue = new PlanQueue();
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const plan = (name: string, { signal = new AbortController().signal, isUrgent = false } = {}) =>
    queue.run(
      (planning) =>
        new Promise<string>((resolve, reject) => {
          begun.push(name);
          ends.set(name, () => {
            resolve(name);
          });
          planning.addEventListener('abort', () => {
            reject(new Error(`${name} was interrupted`));
          });
        }),
      signal,
      isUrgent,
    );
  return { queue, begun, plan, end: (name: string) => ends.get(name)?.() };
}

describe('PlanQueue', () => {
  it('makes one plan after the other, and at once what is urgent', async () => {
    const { begun, plan, end } = setUp();
    const plans = [plan('a'), plan('b'), plan('c', { isUrgent: true })];
    await settle();
    expect(begun).toEqual(['a', 'c']);
    end('c');
    await settle();
    expect(begun).toEqual(['a', 'c']);
    for (const name of ['a', 'b']) {
      end(name);
      await settle();
    }
    expect(begun).toEqual(['a', 'c', 'b']);
    expect(await Promise.all(plans)).toEqual(['a', 'b', 'c']);
  });

  it('refuses a plan when four wait, and never an urgent one', async () => {
    const { begun, plan, end } = setUp();
    const plans = ['a', 'b', 'c', 'd', 'e'].map((name) => plan(name));
    await expect(plan('f')).rejects.toMatchObject({ code: 'resource_exhausted' });
    const urgent = plan('urgent', { isUrgent: true });
    expect(begun).toEqual(['a', 'urgent']);
    for (const name of ['urgent', 'a', 'b', 'c', 'd', 'e']) {
      end(name);
      await settle();
    }
    await Promise.all([...plans, urgent]);
  });

  it('ends the plan of whoever is gone, and goes on with the next', async () => {
    const { begun, plan, end } = setUp();
    const [running, waiting] = [new AbortController(), new AbortController()];
    const plans = [plan('a', running), plan('b', waiting), plan('c')];
    waiting.abort();
    await expect(plans[1]).rejects.toMatchObject({ code: 'cancelled' });
    running.abort();
    await expect(plans[0]).rejects.toThrow('a was interrupted');
    await settle();
    expect(begun).toEqual(['a', 'c']);
    end('c');
    expect(await plans[2]).toBe('c');
  });

  it('ends all when it is closed', async () => {
    const { queue, plan } = setUp();
    const plans = [plan('a'), plan('b'), plan('urgent', { isUrgent: true })];
    queue.close();
    await expect(plans[0]).rejects.toThrow('a was interrupted');
    await expect(plans[1]).rejects.toMatchObject({ code: 'cancelled' });
    await expect(plans[2]).rejects.toThrow('urgent was interrupted');
    await expect(plan('c')).rejects.toMatchObject({ code: 'cancelled' });
  });
});
