import { describe, expect, it } from 'vitest';
import {
  call,
  EACH_ONCE,
  EACH_TWICE,
  expectAllSums,
  HIDDEN_SIZE,
  refused,
  startCluster,
} from '@expertmesh/test-kit/simple-expert-cluster';
import { type Behaviour } from '@expertmesh/test-kit/simple-expert-server';
import { simpleLayerCall } from '@expertmesh/test-kit/simple-layer-call';
import { TravellingRows } from './part-caller.js';

/** A worker whose sums of calls with a value of 7 and more are too large. */
const tooLargeFrom7: Behaviour = ({ rows }, answer, stream) => {
  const isTooLarge = Array.from(rows).some((value) => value >= 7);
  stream.write(isTooLarge ? refused(answer, { code: 'out_of_range', message: 'the sum is too large' }) : answer);
};

const callWithLargeRow = (value: number) => {
  const large = simpleLayerCall(5, HIDDEN_SIZE, [
    [0, 1, 2],
    [3, 4, 5],
    [0, 2, 4],
    [1, 3, 5],
  ]);
  large.rows.fill(value, HIDDEN_SIZE, 2 * HIDDEN_SIZE);
  return large;
};

describe('values that are too large', () => {
  it('fail their own row, and are no wrong answer of any worker', async () => {
    const { dispatcher, servers } = await startCluster(EACH_TWICE);
    for (const server of servers) server.behaviour = tooLargeFrom7;
    for (let round = 0; round < 5; round++) {
      const { failures } = await dispatcher.dispatch(callWithLargeRow(7));
      expect([...failures].map(([row, { code }]) => [row, code])).toEqual([[1, 'out_of_range']]);
    }
    expect(dispatcher.stats()).toMatchObject({ wrongAnswers: [], quarantined: [] });
  });

  it('are computed elsewhere, where only one worker finds them so', async () => {
    const { dispatcher, servers } = await startCluster(EACH_TWICE);
    servers[0].behaviour = (_, answer, stream) => {
      stream.write(refused(answer, { code: 'out_of_range', message: 'the sum is too large' }));
    };
    expectAllSums(await dispatcher.dispatch(call));
  });

  it('are not sent in a type that has no room for them, and the other rows are', async () => {
    const { dispatcher, servers } = await startCluster(EACH_ONCE, { wireDtype: 'fp16' });
    // The servers of this test compute in fp32 only: what is sent is what counts.
    for (const server of servers)
      server.behaviour = (_, answer, stream) => {
        stream.write(refused(answer, { code: 'internal', message: 'fp32 only' }));
      };
    const { failures } = await dispatcher.dispatch(callWithLargeRow(65_520));
    expect(failures.get(1)).toMatchObject({
      code: 'out_of_range',
      message: expect.stringMatching(/fp16 before layer 5: element 0 of row 1 .*65,504.*--wire-dtype fp32/) as string,
    });
    expect(failures.get(0)?.code).toBe('internal');
    expect(servers.flatMap(({ calls }) => calls).some(({ rows }) => Array.from(rows).includes(0x7c00))).toBe(false);
  });

  it.each([
    ['fp16', 65_520, [1]],
    ['fp16', 65_500, []],
    ['int8', Infinity, [1]],
    ['fp32', 65_520, []],
  ] as const)('in %s, %d: rows %j do not travel', (dtype, value, expected) => {
    const rows = new TravellingRows(callWithLargeRow(value), HIDDEN_SIZE, dtype);
    rows.ofMember('w0');
    expect([...rows.unsendable.keys()]).toEqual(expected);
  });
});
