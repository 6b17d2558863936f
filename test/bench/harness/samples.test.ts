import { describe, expect, it } from 'vitest';
import { Samples } from './samples.js';
import { summarise } from './statistics.js';

describe('summarise', () => {
  it('takes the middle value, or the mean of the two in the middle', () => {
    expect(summarise([9, 1, 5])).toEqual({ median: 5, min: 1, max: 9, numSamples: 3 });
    expect(summarise([4, 1, 10, 2])).toEqual({ median: 3, min: 1, max: 10, numSamples: 4 });
    expect(summarise([])).toBeUndefined();
  });
});

describe('Samples', () => {
  it('compares what was measured in the same round, and nothing else', () => {
    const samples = new Samples();
    for (const [round, [own, peer]] of [
      [10, 5],
      [30, 10],
      [80, 20],
    ].entries()) {
      samples.add('own', round, own ?? NaN);
      samples.add('peer', round, peer ?? NaN);
    }
    samples.add('own', 99, 1000);
    expect(samples.ratio('own', 'peer')).toMatchObject({ median: 3, min: 2, max: 4, numSamples: 3 });
    expect(samples.ratio('own', 'absent')).toBeUndefined();
  });

  it('has the best of several subjects, round by round', () => {
    const samples = new Samples();
    samples.add('a.decode.1', 0, 5);
    samples.add('b.decode.1', 0, 7);
    samples.add('a.decode.1', 1, 9);
    samples.add('b.firstToken', 0, 30);
    samples.add('a.firstToken', 0, 20);
    samples.addBest('peer', ['a', 'b'], (measure) => measure === '.firstToken');
    expect(samples.values('peer.decode.1')).toEqual([7, 9]);
    expect(samples.values('peer.firstToken')).toEqual([20]);
  });
});
