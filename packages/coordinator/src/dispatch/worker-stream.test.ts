import { type AddressInfo, createServer } from 'node:net';
import { MAX_QUEUED_CALLS } from '@expertmesh/shared/limits/limits';
import { afterEach, describe, expect, it } from 'vitest';
import { DrivenClock } from '@expertmesh/test-kit/driven-clock';
import { answering, holdCalls, simpleExpert, SimpleExpertServer } from '@expertmesh/test-kit/simple-expert-server';
import { until } from '@expertmesh/test-kit/until';
import { WorkerStream } from './worker-stream.js';
import { type OutgoingCall } from './expert-link.js';
import { connectionOpeners } from '../serving/connection-openers.js';

const DEADLINE_MS = 1500;
const EXPERT_ID = 3;

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function startServer(port?: number): Promise<SimpleExpertServer> {
  const server = await SimpleExpertServer.start(port);
  cleanUps.push(() => server.close());
  return server;
}

function openStream(address: string): { stream: WorkerStream; clock: DrivenClock } {
  const clock = new DrivenClock();
  const { openStream } = connectionOpeners(undefined);
  const stream = new WorkerStream({ workerId: 'w', address, clock, random: () => 0, openStream });
  cleanUps.push(() => {
    stream.close('the test is over');
  });
  return { stream, clock };
}

async function start() {
  const server = await startServer();
  const { stream, clock } = openStream(server.address);
  await until(() => stream.stats().isConnected);
  return { server, stream, clock };
}

/** One row of one value, for one expert. */
const callOf = (value: number): OutgoingCall => ({
  layerIndex: 0,
  placementVersion: 1,
  storeId: '0123456789abcdef',
  numRows: 1,
  hiddenSize: 1,
  rowDtype: 'fp32',
  rowOffsets: Uint32Array.of(0, 1),
  expertIds: Uint32Array.of(EXPERT_ID),
  routingWeights: Float32Array.of(1),
  rows: Float32Array.of(value),
});

async function valueOf(stream: WorkerStream, value: number): Promise<number | undefined> {
  return (await stream.call(callOf(value), DEADLINE_MS)).rows[0];
}

describe('WorkerStream', () => {
  it('counts calls, bytes and time', async () => {
    const { server, stream, clock } = await start();
    const held = holdCalls(server);
    const pending = valueOf(stream, 2);
    await held.arrived;
    clock.advance(30);
    held.answer();
    expect(await pending).toBe(simpleExpert(2, EXPERT_ID));
    expect(stream.stats()).toEqual({
      workerId: 'w',
      address: server.address,
      isConnected: true,
      numInFlight: 0,
      numCalls: 1,
      numFailedCalls: 0,
      numLateAnswers: 0,
      numConnectionsLost: 0,
      sentBytes: 20,
      receivedBytes: 4,
      numAnswers: 1,
      sumRoundTripMs: 30,
      maxRoundTripMs: 30,
    });
  });

  it('counts the scales of int8 rows with them', async () => {
    const { server, stream } = await start();
    const int8Row = { rowDtype: 'int8', rows: Int8Array.of(5), rowScales: Float32Array.of(1) } as const;
    server.behaviour = answering((answer) => ({ ...answer, ...int8Row }));
    await stream.call({ ...callOf(1), ...int8Row }, DEADLINE_MS);
    expect(stream.stats()).toMatchObject({ sentBytes: 21, receivedBytes: 5 });
  });

  it('waits for no answer to a call that cannot be encoded', async () => {
    const { stream, clock } = await start();
    const unreadable = {
      ...callOf(1),
      get rowOffsets(): Uint32Array {
        throw new RangeError('the memory is gone');
      },
    };
    await expect(stream.call(unreadable, DEADLINE_MS)).rejects.toThrow('the memory is gone');
    expect([stream.stats().numInFlight, clock.numTimers]).toEqual([0, 0]);
  });

  it('matches answers that come in another order than the calls', async () => {
    const { server, stream } = await start();
    const waiting: (() => void)[] = [];
    server.behaviour = (_, answer, answers) => {
      waiting.push(() => {
        answers.write(answer);
      });
      if (waiting.length === 3) for (const answerNow of waiting.reverse()) answerNow();
    };
    const values = await Promise.all([8, 16, 24].map((value) => valueOf(stream, value)));
    expect(values).toEqual([8, 16, 24].map((value) => simpleExpert(value, EXPERT_ID)));
  });

  it('ends a call at its deadline when the worker is silent, and ignores the answer that comes too late', async () => {
    const { server, stream, clock } = await start();
    const held = holdCalls(server);
    const pending = valueOf(stream, 1);
    await held.arrived;
    clock.advance(DEADLINE_MS - 1);
    expect(stream.stats().numInFlight).toBe(1);
    clock.advance(1);
    await expect(pending).rejects.toMatchObject({
      code: 'deadline_exceeded',
      message: `worker w (${server.address}): no answer to a call within 1500 ms`,
    });
    held.answer();
    await until(() => stream.stats().numLateAnswers === 1);
    server.behaviour = answering((answer) => answer);
    expect(await valueOf(stream, 1)).toBe(simpleExpert(1, EXPERT_ID));
    expect(stream.stats()).toMatchObject({ numCalls: 2, numFailedCalls: 1 });
  });

  it('reads an answer that arrived while this thread computed past the deadline', async () => {
    const { server, stream, clock } = await start();
    const held = holdCalls(server);
    const pending = valueOf(stream, 1);
    await held.arrived;
    clock.block(DEADLINE_MS + 800);
    clock.advance(0);
    held.answer();
    expect(await pending).toBe(simpleExpert(1, EXPERT_ID));
    expect(clock.numTimers).toBe(0);
  });

  it('takes a call that the worker finds invalid for a bug, not for a fault of the request', async () => {
    const { server, stream } = await start();
    server.behaviour = answering((answer) => ({
      ...answer,
      error: { code: 'invalid_argument', message: 'expert 3 is not on this worker' },
    }));
    await expect(valueOf(stream, 1)).rejects.toMatchObject({
      code: 'internal',
      message: `worker w (${server.address}): expert 3 is not on this worker`,
    });
  });

  it('connects again with growing delays, and serves once the worker is back on its port', async () => {
    const { server, stream, clock } = await start();
    const { port } = server;
    await server.close();
    for (const [numFailures, delayMs] of [100, 200, 400].entries()) {
      await until(() => stream.stats().numConnectionsLost === numFailures + 1);
      await expect(valueOf(stream, 1)).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining('the connection is lost and is being made again') as string,
      });
      clock.advance(delayMs - 1);
      expect(clock.nextInMs).toBe(1);
      clock.advance(1);
    }
    await until(() => stream.stats().numConnectionsLost === 4);
    const restarted = await startServer(port);
    clock.advance(800);
    expect(await valueOf(stream, 1)).toBe(simpleExpert(1, EXPERT_ID));
    await until(() => stream.stats().isConnected);

    await restarted.close();
    await until(() => stream.stats().numConnectionsLost === 5);
    expect(clock.nextInMs).toBe(100);
  });

  it('gives up a connection that is not made within a second, and tries another one', async () => {
    const mute = createServer();
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    cleanUps.push(() => void mute.close());
    const { port } = mute.address() as AddressInfo;
    const { stream, clock } = openStream(`127.0.0.1:${String(port)}`);
    const pending = valueOf(stream, 1);
    clock.advance(1000);
    await expect(pending).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('no connection within 1000 ms') as string,
    });
    expect(clock.nextInMs).toBe(100);
  });

  it('refuses calls beyond the bound of those in flight', async () => {
    const { server, stream } = await start();
    holdCalls(server);
    const held = Array.from({ length: MAX_QUEUED_CALLS }, () => valueOf(stream, 1).catch(() => 'failed'));
    await expect(valueOf(stream, 1)).rejects.toMatchObject({ code: 'resource_exhausted' });
    stream.close('enough');
    expect(new Set(await Promise.all(held))).toEqual(new Set(['failed']));
  });
});
