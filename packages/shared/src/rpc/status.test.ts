import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES, ExpertmeshError } from '../errors/expertmesh-error.js';
import { fromServiceError, streamEndReason, toServiceError } from './status.js';

it.each(ERROR_CODES)('carries the code %s and the message to the other side', (code) => {
  const received = fromServiceError(toServiceError(new ExpertmeshError(code, 'what and why')), 'worker a:9101');
  expect(received).toMatchObject({ code, message: 'worker a:9101: what and why' });
});

it('gives statuses outside the set the code with the same remedy', () => {
  const codeOf = (number: status): string => fromServiceError({ code: number, details: 'x' }, 'peer').code;
  expect(codeOf(status.ABORTED)).toBe('unavailable');
  expect(codeOf(status.UNKNOWN)).toBe('internal');
});

it('turns what is no gRPC error into an internal one', () => {
  expect(toServiceError(new TypeError('x is undefined'))).toEqual({ code: status.INTERNAL, details: 'x is undefined' });
  expect(fromServiceError(new TypeError('x is undefined'), 'peer').code).toBe('internal');
  expect(fromServiceError(null, 'peer').code).toBe('internal');
});

describe('streamEndReason', () => {
  it("gives the system's reason without gRPC's decoration", () => {
    const details =
      'No connection established. Last error: Error: connect ECONNREFUSED 10.0.0.7:9101. Resolution note: ';
    expect(streamEndReason({ details, message: `14 UNAVAILABLE: ${details}` })).toBe(
      'connect ECONNREFUSED 10.0.0.7:9101',
    );
  });

  it('leaves other reasons as they are', () => {
    expect(streamEndReason({ details: 'Connection dropped', message: '14 UNAVAILABLE: Connection dropped' })).toBe(
      'Connection dropped',
    );
  });
});
