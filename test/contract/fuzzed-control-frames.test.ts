import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AssignRequest, LoadRequest, UnloadRequest } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { workerService } from '@expertmesh/shared/rpc/services';
import { packDemoStore } from '@expertmesh/test-kit/demo-store';
import { mutatedBytes } from '@expertmesh/test-kit/mutated-bytes';
import { pause, stopAll } from '@expertmesh/test-kit/process';
import { beginRequest, grpcPrefix, rawSession } from '@expertmesh/test-kit/raw-request';
import { startWorkers, type WorkerFleet } from '@expertmesh/test-kit/worker-fleet';

/** `npm run test:fuzz` has more. */
const NUM_INPUTS = Number(process.env['NUM_INPUTS'] ?? 300);
/** For one input, on a core that has other things to do. */
const MAX_MS = 5_000;
const MAX_GROWTH_MIB = 128;

const AT_A_TIME = 16;

const shard = { layerIndex: 0, expertIds: [0, 1, 2, 127] };
const messages = [
  [
    workerService.assign.path,
    AssignRequest.encode(AssignRequest.fromPartial({ storeId: '0123', shards: [shard], epoch: 1 })),
  ],
  [workerService.load.path, LoadRequest.encode(LoadRequest.fromPartial({ epoch: 1, sources: ['127.0.0.1:1'] }))],
  [workerService.unload.path, UnloadRequest.encode({ epoch: 1 })],
] as const;

let fleet: WorkerFleet;
beforeAll(async () => {
  fleet = await startWorkers(await packDemoStore(), 1);
});
afterAll(stopAll);

/** Bytes of one call, framing included; how it ends, or undefined where it does not in time. */
async function send(session: ReturnType<typeof rawSession>, path: string, bytes: Buffer): Promise<string | undefined> {
  const { stream, ended } = beginRequest(session, path);
  const closed = new Promise<string>((resolve) => {
    stream.once('close', () => {
      resolve('closed');
    });
  });
  stream.end(bytes);
  const how = await Promise.race([ended.then(({ status }) => String(status)), closed, pause(MAX_MS)]);
  stream.destroy();
  return how ?? undefined;
}

function residentMib(pid: number): number {
  const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}

it('control frames that are wrong are answered, soon, and leave the worker as it was', async () => {
  const [worker] = fleet.processes;
  const [address] = fleet.controlAddresses;
  if (worker === undefined || address === undefined) expect.fail('no worker');
  let session = rawSession(address.port);
  const sendOne = (seed: number): Promise<string | undefined> => {
    if (session.destroyed || session.closed) session = rawSession(address.port);
    const [path, writer] = messages[seed % messages.length] ?? messages[0];
    const message = writer.finish();
    // Half of them keep their framing, so that what is wrong is the message.
    const isFramed = seed % 2 === 0;
    const wrong = isFramed
      ? mutatedBytes(message, seed)
      : mutatedBytes(Buffer.concat([grpcPrefix(message.byteLength), message]), seed);
    return send(session, path, isFramed ? Buffer.concat([grpcPrefix(wrong.byteLength), wrong]) : wrong);
  };
  for (let seed = 0; seed < Math.min(100, NUM_INPUTS); seed++) await sendOne(seed);
  const beforeMib = residentMib(worker.pid);
  const [failures, ends] = [new Array<string>(), new Map<string, number>()];
  const seeds = Array.from({ length: NUM_INPUTS }, (_, index) => index + 1).values();
  const sendAll = async (): Promise<void> => {
    for (const seed of seeds) {
      const how = await sendOne(seed);
      if (how === undefined) failures.push(`seed ${String(seed)} has no answer`);
      else ends.set(how, (ends.get(how) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, sendAll));
  const growthMib = Math.round(residentMib(worker.pid) - beforeMib);
  process.stdout.write(`control frames: ends ${JSON.stringify([...ends])}, worker grows by ${String(growthMib)} MiB\n`);
  session.destroy();
  expect(failures.slice(0, 10)).toEqual([]);
  expect(worker.hasExited).toBe(false);
  expect(growthMib).toBeLessThan(MAX_GROWTH_MIB);
});
