import { describe, expect, it } from 'vitest';
import { ExpertmeshError, fromErrorData, toErrorData } from './expertmesh-error.js';
import { ExpertsNotHeldError } from './experts-not-held-error.js';

const across = (thrown: unknown): ExpertmeshError => fromErrorData(structuredClone(toErrorData(thrown)));

describe('toErrorData', () => {
  it('carries code, message, param and the messages of all causes across a thread border', () => {
    const cause = new Error('the disk is full', { cause: new Error('ENOSPC') });
    const error = across(new ExpertmeshError('resource_exhausted', 'cannot write', { param: 'cacheDir', cause }));
    expect(error).toMatchObject({ code: 'resource_exhausted', message: 'cannot write', param: 'cacheDir' });
    expect(error.cause).toMatchObject({ message: 'the disk is full', cause: { message: 'ENOSPC' } });
  });

  it('keeps the class and the fields of an error that has its own', () => {
    const error = across(new ExpertsNotHeldError([3, 5], 'worker w1 does not hold expert 3'));
    expect(error).toBeInstanceOf(ExpertsNotHeldError);
    expect(error).toMatchObject({ code: 'failed_precondition', missingExpertIds: [3, 5] });
  });

  it('makes an internal error of anything else that was thrown', () => {
    expect(across(new TypeError('x is not a function'))).toMatchObject({ code: 'internal', param: undefined });
    expect(across('a string')).toMatchObject({ code: 'internal', message: 'a string' });
  });
});
