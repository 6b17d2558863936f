import { describe, expect, it } from 'vitest';
import { request } from '@expertmesh/test-kit/counting-forward';
import { BlockPool } from '../kv/block-pool.js';
import { AnswerSampler } from '../sampling/answer-sampler.js';
import { type SequenceRequest } from './engine-client.js';
import { Intake } from './intake.js';
import { type Sequence } from './sequence.js';
import { TenantShares } from './tenant-shares.js';
import { WaitingQueue } from './waiting-queue.js';

function setUp(bounds = { maxSequences: 10, maxTokens: 100 }) {
  const shares = new TenantShares();
  const queue = new WaitingQueue(bounds, shares);
  const intake = new Intake({
    pool: new BlockPool(8),
    memory: { copyBlock: () => undefined },
    maxModelLen: 256,
    vocabSize: 16,
    createSampler: (submitted, seed) => new AnswerSampler({ request: submitted, seed }),
    randomSeed: () => 1,
  });
  let numTaken = 0;
  const take = (options: Partial<SequenceRequest> = {}): Sequence =>
    intake.take(numTaken++, request([1, 2], options), 0);
  const push = (options: Partial<SequenceRequest> = {}): Sequence => {
    const sequence = take(options);
    queue.push(sequence);
    return sequence;
  };
  const order = (): number[] => {
    const ids: number[] = [];
    for (let first = queue.first(); first !== undefined; first = queue.first()) {
      ids.push(first.submission.id);
      queue.remove(first);
    }
    return ids;
  };
  return { queue, shares, take, push, order };
}

describe('WaitingQueue', () => {
  it('is first come, first served among equals', () => {
    const { push, order } = setUp();
    for (let i = 0; i < 3; i++) push();
    expect(order()).toEqual([0, 1, 2]);
  });

  it('has lower numbers of priority first, and the tenant that was given least within one', () => {
    const { push, order, shares } = setUp();
    for (const tenant of ['a', 'b']) shares.join(tenant, []);
    shares.chargePrompt('a', 10);
    push({ tenant: 'a' });
    push({ tenant: 'b' });
    push({ tenant: 'a', priority: -1 });
    push({ tenant: 'b', priority: 1 });
    expect(order()).toEqual([2, 1, 0, 3]);
  });

  it('has those first in their priority that had a place already, in their old order', () => {
    const { queue, push, take, order } = setUp();
    const preempted = [take(), take({ priority: 1 }), take()];
    push();
    push({ priority: 1 });
    for (const sequence of preempted.reverse()) queue.pushBack(sequence);
    expect(order()).toEqual([0, 2, 3, 1, 4]);
  });

  it('refuses what is too much by number and by tokens, and takes one long prompt alone', () => {
    const byNumber = setUp({ maxSequences: 2, maxTokens: 100 });
    for (let i = 0; i < 2; i++) byNumber.push();
    expect(() => byNumber.push()).toThrow('2 sequences are waiting already');
    const byTokens = setUp({ maxSequences: 10, maxTokens: 5 });
    const long = byTokens.push({ promptTokenIds: [1, 2, 3, 4, 5, 6] });
    expect(() => byTokens.push()).toThrow('prompts of 6 tokens are waiting already, with this one of 2');
    byTokens.queue.remove(long);
    for (let i = 0; i < 2; i++) byTokens.push();
    expect(() => byTokens.push()).toThrow('prompts of 4 tokens are waiting already');
  });

  it('takes back those that had a place however full it is', () => {
    const { queue, push, take } = setUp({ maxSequences: 1, maxTokens: 2 });
    push();
    queue.pushBack(take());
    expect(queue.size).toBe(2);
  });
});
