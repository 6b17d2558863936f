import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { LoadProgress, WorkerStats } from '../gen/expertmesh/v1/worker.js';
import { RpcClient } from './client.js';
import { bindService, type RpcServer, startServer } from './server.js';
import { type Handlers } from './service-definition.js';
import { workerService } from './services.js';
import { toServiceError } from './status.js';

type WorkerHandlers = Handlers<typeof workerService>;

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

const silent: WorkerHandlers = {
  assign: () => undefined,
  load: () => undefined,
  unload: () => undefined,
  resetEpoch: () => undefined,
  getStats: () => undefined,
  drain: () => undefined,
};

async function connect(handlers: Partial<WorkerHandlers>): Promise<{ client: RpcClient; server: RpcServer }> {
  const services = [bindService(workerService, { ...silent, ...handlers })];
  const server = await startServer({ host: '127.0.0.1', port: 0, portFlag: '--control-port', services });
  const client = new RpcClient(`127.0.0.1:${String(server.port)}`, 'worker w1');
  cleanUps.push(
    () => server.close(0),
    () => {
      client.close();
    },
  );
  return { client, server };
}

const LOAD = { placementVersion: 1, epoch: 1, sources: [] };

const within = (deadlineMs: number) => ({ deadlineMs, signal: new AbortController().signal });

describe('RpcClient', () => {
  it('gives the answer of a unary call', async () => {
    const stats = WorkerStats.create({ bootId: 'b1', uptimeMs: 2 ** 40 });
    const { client } = await connect({
      getStats: (_call, callback) => {
        callback(null, stats);
      },
    });
    expect(await client.unary(workerService.getStats, {}, within(2000))).toEqual(stats);
  });

  it('throws the error that the handler gave, with the name of the peer', async () => {
    const { client } = await connect({
      assign: (_call, callback) => {
        callback(toServiceError(new ExpertmeshError('resource_exhausted', 'needs 9 GB, has 4 GB')));
      },
    });
    const request = { placementVersion: 1, epoch: 1, storeId: 's', shards: [] };
    await expect(client.unary(workerService.assign, request, within(2000))).rejects.toMatchObject({
      code: 'resource_exhausted',
      message: 'worker w1: needs 9 GB, has 4 GB',
    });
  });

  it('ends a call that nobody answers at its deadline', async () => {
    const { client } = await connect({});
    await expect(client.unary(workerService.getStats, {}, within(50))).rejects.toMatchObject({
      code: 'deadline_exceeded',
      message: expect.stringContaining(
        'worker w1 did not answer /expertmesh.v1.WorkerService/GetStats within 50 ms',
      ) as string,
    });
  });

  it('ends a call at its deadline when the other side accepts the connection and never speaks', async () => {
    const mute = createServer();
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    const address = mute.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const client = new RpcClient(`127.0.0.1:${String(port)}`, 'worker w1');
    cleanUps.push(() => {
      client.close();
      mute.close();
    });
    await expect(client.unary(workerService.getStats, {}, within(100))).rejects.toMatchObject({
      code: 'deadline_exceeded',
    });
  });

  it('fails at once with `unavailable` when nobody listens', async () => {
    const { client, server } = await connect({});
    await server.close(0);
    await expect(client.unary(workerService.getStats, {}, within(5000))).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('ends a call whose caller gives up, also before it began', async () => {
    const { client } = await connect({});
    const abort = new AbortController();
    const waiting = client.unary(workerService.getStats, {}, { deadlineMs: 5000, signal: abort.signal });
    setImmediate(() => {
      abort.abort();
    });
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
    await expect(
      client.unary(workerService.getStats, {}, { deadlineMs: 5000, signal: abort.signal }),
    ).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('refuses calls after close', async () => {
    const { client } = await connect({});
    client.close();
    await expect(client.unary(workerService.getStats, {}, within(1000))).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('yields the messages of a server stream and then its error', async () => {
    const { client } = await connect({
      load: (call) => {
        call.write(LoadProgress.create({ loadedBytes: 1 }));
        call.write(LoadProgress.create({ loadedBytes: 2 }));
        call.emit('error', toServiceError(new ExpertmeshError('data_loss', 'blob 3 has a wrong hash')));
      },
    });
    const seen: number[] = [];
    const read = async (): Promise<void> => {
      for await (const progress of client.serverStream(workerService.load, LOAD, within(2000)))
        seen.push(progress.loadedBytes);
    };
    await expect(read()).rejects.toMatchObject({ code: 'data_loss', message: 'worker w1: blob 3 has a wrong hash' });
    expect(seen).toEqual([1, 2]);
  });

  it('cancels a server stream when its reader leaves the loop', async () => {
    let onCancelled = (): void => undefined;
    const cancelled = new Promise<void>((resolve) => (onCancelled = resolve));
    const { client } = await connect({
      load: (call) => {
        call.on('cancelled', onCancelled);
        call.write(LoadProgress.create({ loadedBytes: 1 }));
      },
    });
    for await (const progress of client.serverStream(workerService.load, LOAD, within(5000))) {
      expect(progress.loadedBytes).toBe(1);
      break;
    }
    await cancelled;
  });

  it('gives a stream its deadline anew with each message where that is asked for', async () => {
    const { client } = await connect({
      load: (call) => {
        let numSent = 0;
        const timer = setInterval(() => {
          call.write(LoadProgress.create({ loadedBytes: (numSent += 1) }));
          if (numSent === 4) clearInterval(timer);
        }, 60);
      },
    });
    const options = { ...within(150), isPerMessage: true };
    const seen: number[] = [];
    const read = async (): Promise<void> => {
      const request = LOAD;
      for await (const progress of client.serverStream(workerService.load, request, options))
        seen.push(progress.loadedBytes);
    };
    await expect(read()).rejects.toMatchObject({ code: 'deadline_exceeded' });
    expect(seen).toEqual([1, 2, 3, 4]);
  });

  it('hands headers to the handler', async () => {
    const { client } = await connect({
      getStats: (call, callback) => {
        callback(null, WorkerStats.create({ bootId: String(call.metadata.get('for-whom')[0]) }));
      },
    });
    const options = { ...within(2000), metadata: { 'for-whom': 'w1' } };
    expect(await client.unary(workerService.getStats, {}, options)).toMatchObject({ bootId: 'w1' });
  });

  it('ends a silent server stream at its deadline', async () => {
    const { client } = await connect({});
    const stream = client.serverStream(workerService.load, LOAD, within(50));
    await expect(stream.next()).rejects.toMatchObject({ code: 'deadline_exceeded' });
  });
});

describe('startServer', () => {
  it('names the port and the flag when the port is taken', async () => {
    const { server } = await connect({});
    const again = startServer({ host: '127.0.0.1', port: server.port, portFlag: '--control-port', services: [] });
    await expect(again).rejects.toMatchObject({
      code: 'failed_precondition',
      message: expect.stringMatching(
        new RegExp(`:${String(server.port)}: another program uses this port.*--control-port`),
      ) as string,
    });
  });

  it('ends open streams by force at the deadline of close', async () => {
    const { client, server } = await connect({});
    const stream = client.serverStream(workerService.load, LOAD, within(5000));
    const ended = expect(stream.next()).rejects.toMatchObject({ code: expect.any(String) as string });
    await client.unary(workerService.getStats, {}, within(20)).catch(() => undefined);
    await server.close(50);
    await ended;
  });
});
