import { expect, it } from 'vitest';
import { MAX_UNFINISHED_CALLS } from '../../limits/limits.js';
import { UnfinishedCalls, type UnfinishedCall } from './unfinished-calls.js';

const NUM_CONNECTIONS = 400;
/** Of one connection. */
const NUM_STREAMS = 256;

type TestCall = UnfinishedCall & { hasFailed: boolean };

function callsOf(address: string, numConnections: number, isTrusted = false): TestCall[] {
  return Array.from({ length: numConnections * NUM_STREAMS }, (_, index) => {
    const peer = `${address}:${String(index % numConnections)}`;
    const connection = { address, peer, isTrusted };
    const call = { connection, hasFailed: false, fail: () => void (call.hasFailed = true) };
    return call;
  });
}

it.each([true, false])('takes a byte of very many calls without a look at the others (trusted: %s)', (isTrusted) => {
  const unfinished = new UnfinishedCalls();
  const startMs = performance.now();
  for (const call of callsOf('a', NUM_CONNECTIONS, isTrusted)) unfinished.take(call, 1);
  expect(performance.now() - startMs).toBeLessThan(5_000);
});

it('ends the oldest calls of the machine that has most where there are too many, and none of another', () => {
  const unfinished = new UnfinishedCalls();
  const [mine] = callsOf('b', 1);
  const many = callsOf('a', 32);
  if (mine !== undefined) unfinished.take(mine, 1);
  for (const call of many) unfinished.take(call, 1);
  expect(mine?.hasFailed).toBe(false);
  const failed = many.filter(({ hasFailed }) => hasFailed);
  expect(failed).toEqual(many.slice(0, many.length - MAX_UNFINISHED_CALLS + 1));
});

it('gives back what a call held when it ends, for its connection and for all', () => {
  const unfinished = new UnfinishedCalls();
  const [call] = callsOf('a', 1);
  if (call === undefined) throw new Error('there is one');
  for (let round = 0; round < 16; round++) {
    unfinished.take(call, 20 * 2 ** 20);
    unfinished.end(call);
    unfinished.end(call);
  }
  unfinished.take(call, 20 * 2 ** 20);
  expect(() => unfinished.take(call, 20 * 2 ** 20)).toThrow('unfinished requests of this connection');
});
