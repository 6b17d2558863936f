import { expect, it } from 'vitest';
import { CommandEpoch } from './command-epoch.js';

it('takes commands without an epoch until there was one, and then none of an epoch that is lower', () => {
  const epoch = new CommandEpoch();
  epoch.require(0);
  epoch.require(4);
  epoch.require(4);
  for (const lower of [0, 3])
    expect(() => {
      epoch.require(lower);
    }).toThrow(expect.objectContaining({ code: 'failed_precondition' }));
  expect(epoch.highest).toBe(4);
});
