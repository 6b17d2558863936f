import { expect, it } from 'vitest';
import { Samples } from '../harness/samples.js';
import { evaluateTargets } from '../harness/targets.js';
import { formatNumber, textReport } from './text-report.js';

it.each([
  [0.0123, '0.0123'],
  [1.3, '1.30'],
  [28.24, '28.2'],
  [151_936, '151936'],
  [0, '0.00000'],
])('writes %d as %s', (value, text) => {
  expect(formatNumber(value)).toBe(text);
});

it('shows a figure with its spread beside the peer and the limit, and leaves out what was not measured', () => {
  const samples = new Samples();
  for (const [round, tokensPerSecond] of [30, 36, 33].entries()) {
    samples.add('local.decode.1', round, tokensPerSecond);
    samples.add('peer.decode.1', round, 30);
    samples.add('limit.decode.1', round, 60);
  }
  const report = textReport(samples, evaluateTargets(samples, new Map(), 'avx512vnni'));
  expect(report).toMatch(/decode, 1 sequence +tok\/s +33\.0 +30\.0 +36\.0 +30\.0 +1\.10 +55 %/);
  expect(report).not.toContain('prefill, 256 tokens ');
  expect(report).toMatch(/1 +decode, 1 sequence, local experts, against the best peer +1\.10 +>= 1\.50 +no/);
});
