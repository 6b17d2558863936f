import { expect, it } from 'vitest';
import { MAX_EPOCH_JUMP } from '@expertmesh/shared/limits/limits';
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

it('takes none that no election gave, and all again once it has been told to forget', () => {
  const epoch = new CommandEpoch();
  for (const made of [Number.MAX_SAFE_INTEGER, MAX_EPOCH_JUMP + 1])
    expect(() => {
      epoch.require(made);
    }).toThrow(expect.objectContaining({ code: 'failed_precondition' }));
  expect(epoch.highest).toBe(0);
  epoch.require(MAX_EPOCH_JUMP);
  expect(epoch.reset()).toBe(MAX_EPOCH_JUMP);
  epoch.require(1);
  expect(epoch.highest).toBe(1);
});
