import { describe, expect, it } from 'vitest';
import { Samples } from './samples.js';
import { evaluateTargets, TARGETS } from './targets.js';

function evaluate(
  values: Readonly<Record<string, number>>,
  reasons: readonly (readonly [string, string])[] = [],
  isa = 'avx512vnni',
) {
  const samples = new Samples();
  for (const [name, value] of Object.entries(values)) samples.add(name, 0, value);
  const results = evaluateTargets(samples, new Map(reasons), isa);
  return (id: number) => results.find((result) => result.id === id);
}

describe('evaluateTargets', () => {
  it('has the thirteen targets, each once', () => {
    expect(TARGETS.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
  });

  it('compares with the peer', () => {
    const target = evaluate({ 'local.decode.1': 40, 'peer.decode.1': 30 });
    expect(target(1)).toMatchObject({ measured: 40 / 30, target: 1.5, met: false });
  });

  it('asks less of AVX2 without VNNI than of the best instruction set', () => {
    const target = evaluate({ 'local.decode.1': 44, 'peer.decode.1': 30 }, [], 'avx2');
    expect(target(1)).toMatchObject({ target: 1.4, met: true });
  });

  it('reports the part that misses its target most, or the first where all are met', () => {
    const target = evaluate({ 'local.decode.4': 40, 'peer.decode.4': 32, 'local.decode.16': 80, 'peer.decode.16': 40 });
    expect(target(2)).toMatchObject({ measured: 1.25, target: 1.6, met: false, part: '4 sequences' });
    const met = evaluate({ 'delay.0.5.lookup.on': 90, 'delay.0.5.lookup.off': 30, 'delay.0.5.lookup.identical': 1 });
    expect(met(11)).toMatchObject({ measured: 3, target: 1.8, met: true, part: '0.5 ms' });
  });

  it('knows where less is better', () => {
    expect(evaluate({ 'four.layer.1.overhead': 0.3 })(5)).toMatchObject({ measured: 0.3, met: true });
    expect(evaluate({ 'one.stall.p99': 50, 'one.stall.quiet': 10 })(12)).toMatchObject({ measured: 5, met: false });
  });

  it('does not meet a target by half of its parts', () => {
    const target = evaluate({ 'local.decode.4': 64, 'peer.decode.4': 32 });
    expect(target(2)).toMatchObject({ measured: null, met: null, reason: 'local.decode.16 was not asked for' });
  });

  it('says why something was not measured', () => {
    const target = evaluate({ 'local.decode.1': 40 }, [['peer', 'llama.cpp is not installed']]);
    expect(target(1)).toMatchObject({ measured: null, met: null, reason: 'llama.cpp is not installed' });
  });
});
