import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { describe, expect, it } from 'vitest';
import { type LayerSwitch } from './layer-switch.js';
import { checkNewReplicas } from './replica-canary.js';

const old: Placement = { version: 1, numExperts: 1, workerIds: ['a', 'b'], replicas: new Map([[0, [[0, 1]]]]) };
const toC: LayerSwitch = { layerIndex: 0, gains: new Map([['c', [0]]]), losses: new Map() };

/** @param answers what each worker computes; one without an answer fails */
function check(answers: Readonly<Record<string, number>>) {
  const asked: string[] = [];
  const checked = checkNewReplicas(
    toC,
    old,
    () => true,
    (workerId) => {
      asked.push(workerId);
      const answer = answers[workerId];
      if (answer === undefined) return Promise.reject(new ExpertmeshError('unavailable', `worker ${workerId} is lost`));
      return Promise.resolve(Float32Array.of(answer));
    },
  );
  return { asked, checked };
}

describe('checkNewReplicas', () => {
  it('asks another old replica where one fails', async () => {
    const { asked, checked } = check({ b: 1, c: 1 });
    await checked;
    expect(asked).toEqual(['c', 'a', 'b']);
    await expect(check({ b: 1, c: 2 }).checked).rejects.toThrow('worker c computes expert 0 of layer 0 wrongly');
  });

  it('is content with a finite answer where no old replica answers', async () => {
    await check({ c: 1 }).checked;
    await expect(check({ c: NaN }).checked).rejects.toThrow('its answer is not finite');
  });

  it('fails with a new replica that does not answer', async () => {
    await expect(check({ a: 1 }).checked).rejects.toThrow('worker c is lost');
  });
});
