import { type BigIntStats } from 'node:fs';
import { expect, it } from 'vitest';
import { isSettled, stampOf } from './file-stamp.js';

const stats = (over: Partial<BigIntStats>): BigIntStats =>
  ({ size: 10n, mtimeNs: 5_000_000_001n, ctimeNs: 5_000_000_002n, ino: 3n, dev: 4n, ...over }) as BigIntStats;

it('is another one for each thing that can change', () => {
  const changes = [{}, { size: 11n }, { mtimeNs: 5n }, { ctimeNs: 5n }, { ino: 5n }, { dev: 5n }];
  const stamps = changes.map((change) => stampOf(stats(change)));
  expect(new Set(stamps).size).toBe(changes.length);
  expect(stamps[0]).toBe('10:5000000001:5000000002:3:4');
});

it('settles a tenth of a second after the later of both times', () => {
  expect(isSettled(stats({}), 5_099)).toBe(false);
  expect(isSettled(stats({}), 5_100)).toBe(true);
  expect(isSettled(stats({ mtimeNs: 6_000_000_000n }), 5_100)).toBe(false);
  expect(isSettled(stats({ ctimeNs: 6_000_000_000n }), 6_100)).toBe(true);
});
