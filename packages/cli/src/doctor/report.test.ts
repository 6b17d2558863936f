import { describe, expect, it } from 'vitest';
import { broken, note, ok } from './check.js';
import { nodeCheck } from './machine-checks.js';
import { isHealthy, reportText } from './report.js';

describe('the doctor report', () => {
  it('is healthy with notes and not with anything broken', () => {
    expect(isHealthy({ checks: [ok('a', ''), note('b', '')], models: [] })).toBe(true);
    expect(isHealthy({ checks: [ok('a', ''), broken('b', '')], models: [] })).toBe(false);
  });

  it('aligns its columns', () => {
    const checks = [ok('Node.js', '20.19.0'), broken('cpu', 'no')];
    expect(reportText({ checks, models: [] })).toBe('ok      Node.js  20.19.0\nBROKEN  cpu      no\n');
  });

  it('says how many boxes a model takes', () => {
    const models = [{ model: 'm', bits: 4, memoryBytes: 150e9, numBoxes: 8 } as const];
    expect(reportText({ checks: [], models })).toContain(
      'needs 150 GB for weights: takes 8 boxes like this one, with 80 % of the memory for weights',
    );
  });
});

describe('nodeCheck', () => {
  it.each([
    ['20.18.3', 'broken'],
    ['18.20.0', 'broken'],
    ['20.19.0', 'ok'],
    ['22.1.0', 'ok'],
  ])('finds %s %s', (version, status) => {
    expect(nodeCheck(version).status).toBe(status);
  });
});
