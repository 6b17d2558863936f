import { type ClientHttp2Session } from 'node:http2';
import { setTimeout } from 'node:timers/promises';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { beginRequest, grpcPrefix, rawSession } from '@expertmesh/test-kit/raw-request';
import { MAX_UNFINISHED_BYTES } from '../../limits/limits.js';
import { WorkerStats } from '../../gen/expertmesh/v1/worker.js';
import { bindService, startServer } from '../server.js';
import { expertService, workerService } from '../services.js';
import { METHOD_BYTES } from './method-sizes.js';
import { requestGuard } from './request-guard.js';

const RESOURCE_EXHAUSTED = 8;
const UNIMPLEMENTED = 12;
const INVALID_ARGUMENT = 3;
const DEADLINE_EXCEEDED = 4;
const GET_STATS = workerService.getStats.path;
const ASSIGN = workerService.assign.path;
const DISPATCH = expertService.dispatch.path;

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function startPort(): Promise<number> {
  const unanswered = (): void => undefined;
  const service = bindService(workerService, {
    getStats: (_call, callback) => {
      callback(null, WorkerStats.create({ bootId: 'b1' }));
    },
    assign: unanswered,
    load: unanswered,
    unload: unanswered,
    resetEpoch: unanswered,
    drain: unanswered,
  });
  const server = await startServer({ host: '127.0.0.1', port: 0, portFlag: '--port', services: [service] });
  cleanUps.push(() => server.close(0));
  return server.port;
}

/** Its calls have 50 ms. */
async function startImpatient(): Promise<number> {
  const server = new Server({ interceptors: [requestGuard(undefined, 50)] });
  server.addService(workerService, {});
  server.addService(expertService, { dispatch: () => undefined });
  cleanUps.push(() => {
    server.forceShutdown();
  });
  return new Promise((resolve) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_error, bound) => {
      resolve(bound);
    });
  });
}

function openSession(port: number): ClientHttp2Session {
  const session = rawSession(port);
  cleanUps.push(() => {
    session.destroy();
  });
  return session;
}

describe('a call', () => {
  it('is answered, and refused as soon as it says that it has more than its method takes', async () => {
    const session = openSession(await startPort());
    const small = beginRequest(session, GET_STATS);
    small.stream.end(grpcPrefix(0));
    expect(await small.ended).toMatchObject({ status: 0 });
    const large = beginRequest(session, GET_STATS);
    large.stream.write(grpcPrefix(66_000));
    expect(await large.ended).toEqual({
      status: RESOURCE_EXHAUSTED,
      message: `a message of 66000 bytes came, and ${GET_STATS} takes at most 65536: send less`,
    });
    const twice = beginRequest(session, GET_STATS);
    twice.stream.write(Buffer.concat([grpcPrefix(0), grpcPrefix(0)]));
    expect(await twice.ended).toMatchObject({ status: INVALID_ARGUMENT });
    const again = beginRequest(session, GET_STATS);
    again.stream.end(grpcPrefix(0));
    expect(await again.ended).toMatchObject({ status: 0 });
  });

  it('is refused when it is compressed, before it is unpacked', async () => {
    const { stream, ended } = beginRequest(openSession(await startPort()), GET_STATS);
    stream.end(grpcPrefix(0, 1));
    expect(await ended).toMatchObject({ status: UNIMPLEMENTED });
  });

  it('is ended when it does not come whole', async () => {
    const { stream, ended } = beginRequest(openSession(await startImpatient()), ASSIGN);
    stream.write(grpcPrefix(10));
    expect(await ended).toMatchObject({ status: DEADLINE_EXCEEDED });
  });

  it('of many messages is ended when the next does not come whole, and has time for each', async () => {
    const session = openSession(await startImpatient());
    const idle = beginRequest(session, DISPATCH);
    expect(await idle.ended).toEqual({
      status: DEADLINE_EXCEEDED,
      message: `no whole message of ${DISPATCH} came for 0.05 s: call it again`,
    });
    const { stream, ended } = beginRequest(session, DISPATCH);
    const startMs = performance.now();
    for (let index = 0; index < 10; index++) {
      stream.write(grpcPrefix(0));
      await setTimeout(10);
    }
    stream.write(grpcPrefix(10));
    expect(await ended).toMatchObject({ status: DEADLINE_EXCEEDED });
    expect(performance.now() - startMs).toBeGreaterThan(100);
  });
});

it('bounds what all unfinished calls hold, whatever they claim, and others are answered beside them', async () => {
  const port = await startPort();
  const size = METHOD_BYTES[ASSIGN] ?? 0;
  const numCalls = Math.ceil((2 * MAX_UNFINISHED_BYTES) / size);
  const failed: number[] = [];
  for (let index = 0; index < numCalls; index++) {
    const { stream, ended } = beginRequest(openSession(port), ASSIGN);
    void ended.then(({ status }) => failed.push(status));
    stream.write(Buffer.concat([grpcPrefix(size - 5), Buffer.alloc(size - 6)]));
  }
  await expect.poll(() => failed.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(numCalls / 2 - 1);
  expect(new Set(failed)).toEqual(new Set([RESOURCE_EXHAUSTED]));
  const { stream, ended } = beginRequest(openSession(port), GET_STATS);
  stream.end(grpcPrefix(0));
  expect(await ended).toMatchObject({ status: 0 });
});
