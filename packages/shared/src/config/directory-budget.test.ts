import { expect, it } from 'vitest';
import { formatDirectoryBudget, parseDirectoryBudget } from './directory-budget.js';

it('reads a directory and a size, and what it writes itself', () => {
  const budget = { dir: '/var/cache/a:b', maxBytes: 20e9 };
  expect(parseDirectoryBudget('/var/cache/a:b:20GB')).toEqual(budget);
  expect(parseDirectoryBudget(formatDirectoryBudget(budget))).toEqual(budget);
});

it('takes nothing without a directory or a size', () => {
  for (const text of ['/var/cache', '20GB', ':20GB', '/var/cache:', '/var/cache:many'])
    expect(parseDirectoryBudget(text)).toBeUndefined();
});
