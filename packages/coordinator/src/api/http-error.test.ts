import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { createLogger } from '@expertmesh/shared/process/logger';
import { describe, expect, it } from 'vitest';
import { RequestError } from '../generation/request-error.js';
import { logError } from './http-error.js';

function logged(thrown: unknown): Record<string, unknown> {
  let line = '{}';
  const log = createLogger({ name: 'test', level: 'debug', destination: { write: (text) => (line = text) } });
  logError({ log }, thrown);
  const { name: _name, pid: _pid, time: _time, ...rest } = JSON.parse(line) as Record<string, unknown>;
  return rest;
}

const WARN = 40;
const ERROR = 50;
const DEBUG = 20;

describe('logError', () => {
  it('tells an expected failure in one line, without a stack', () => {
    expect(logged(new ExpertmeshError('unavailable', 'worker w1 is away', { cause: new Error('reset') }))).toEqual({
      level: WARN,
      code: 'unavailable',
      status: 503,
      msg: 'request failed: worker w1 is away',
    });
    expect(logged(new ExpertmeshError('data_loss', 'NaN'))).toEqual({
      level: ERROR,
      code: 'data_loss',
      status: 500,
      msg: 'request failed: NaN',
    });
  });

  it('tells refusals only to who looks for them', () => {
    expect(logged(new RequestError('invalid_value', 'messages is required', 'messages'))).toMatchObject({
      level: DEBUG,
      status: 400,
    });
  });

  it.each([new ExpertmeshError('internal', 'a bug'), new TypeError('a bug')])(
    'tells a bug with its stack: %s',
    (bug) => {
      expect(logged(bug)).toMatchObject({ level: ERROR, err: { message: 'a bug', stack: bug.stack } });
    },
  );
});
