import { readFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { GenerateRequest } from '@expertmesh/shared/gen/expertmesh/v1/inference';
import { UnloadRequest } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { MAX_DISPATCH_ROWS, MAX_MESSAGE_BYTES } from '@expertmesh/shared/limits/limits';
import { frameDispatchCall } from '@expertmesh/shared/rpc/dispatch-codec';
import { type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';
import { expertService, inferenceService, workerService } from '@expertmesh/shared/rpc/services';
import { descendantsOf } from '@expertmesh/test-kit/child-pids';
import { DEMO_MODEL, Mesh } from '@expertmesh/test-kit/mesh';
import { expectOthersUndisturbed } from '@expertmesh/test-kit/others-undisturbed';
import { pause, stopAll } from '@expertmesh/test-kit/process';
import { postFromElsewhere } from '@expertmesh/test-kit/post-from-elsewhere';
import { beginRequest, grpcPrefix, rawSession } from '@expertmesh/test-kit/raw-request';

/*
 * Peers without credentials, on loopback, against real processes. What others see meanwhile is compared with what they
 * see when nothing happens, since cores may be busy.
 */

const MIB = 2 ** 20;
const HIDDEN = 128;
const TOP_K = 8;
const INVALID_ARGUMENT = 3;
const RESOURCE_EXHAUSTED = 8;
const FAILED_PRECONDITION = 9;
let mesh: Mesh;
let ports: { readonly data: number; readonly control: number; readonly grpc: number; readonly http: number };

interface ClusterJson {
  readonly workers: readonly { readonly controlAddress: string; readonly dataAddress: string }[];
  readonly coordinators: readonly { readonly adminAddress: string }[];
}

beforeAll(async () => {
  mesh = await Mesh.start(['--workers', '1']);
  for (const role of ['worker', 'coordinator'] as const) pids.set(role, pidOf(role));
  const cluster = (await (await fetch(`${mesh.url}/admin/v1/cluster`)).json()) as ClusterJson;
  const portOf = (address = ''): number => Number(address.split(':').at(-1));
  const [worker] = cluster.workers;
  ports = {
    data: portOf(worker?.dataAddress),
    control: portOf(worker?.controlAddress),
    grpc: portOf(cluster.coordinators[0]?.adminAddress),
    http: portOf(mesh.url),
  };
});
afterAll(stopAll);

const cleanUps: (() => unknown)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

function open(port: number) {
  const session = rawSession(port);
  cleanUps.push(() => {
    session.destroy();
  });
  return session;
}

type Role = 'worker' | 'coordinator';

const pids = new Map<Role, number>();

function pidOf(role: Role): number {
  const pid = descendantsOf(mesh.up.pid).find(({ command }) => command.includes(`main.js ${role}`))?.pid;
  if (pid === undefined) throw new Error(`no ${role} process under expertmesh up`);
  return pid;
}

function residentMib(role: Role): number {
  const status = readFileSync(`/proc/${String(pids.get(role))}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}

/** Of what a process grows by while something is done to it, and of what stays 3 s after that. */
async function growthOf(role: Role, attack: () => Promise<unknown>) {
  const before = residentMib(role);
  let peak = before;
  const timer = setInterval(() => (peak = Math.max(peak, residentMib(role))), 50);
  await attack();
  clearInterval(timer);
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
  await pause(3_000);
  const growth = { peakMib: Math.round(peak - before), keptMib: Math.round(residentMib(role) - before) };
  tell(`${role} grows by ${JSON.stringify(growth)} MiB`);
  return growth;
}

const tell = (figures: string): boolean =>
  process.stdout.write(`${expect.getState().currentTestName ?? ''}: ${figures}\n`);

const complete = (prompt: string): Promise<Response> =>
  fetch(`${mesh.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: DEMO_MODEL, prompt, max_tokens: 4, temperature: 0 }),
  });

const expectUndisturbed = (attack: () => Promise<unknown>): Promise<void> => expectOthersUndisturbed(mesh, attack);

describe('the data port', () => {
  it('serves its coordinator while a stranger claims eight messages of 64 MiB with 40 bytes', async () => {
    const session = open(ports.data);
    for (let index = 0; index < 8; index++)
      beginRequest(session, expertService.dispatch.path).stream.write(grpcPrefix(MAX_MESSAGE_BYTES));
    await pause(300);
    for (let index = 0; index < 5; index++) expect((await complete('What is 2 + 3?')).status).toBe(200);
  });

  it('refuses a call of 7 million pairs, and keeps none of its memory', async () => {
    const numPairs = 7_000_000;
    const { keptMib } = await growthOf('worker', async () => {
      const { answered } = dispatch({
        numRows: 1,
        rowOffsets: Uint32Array.of(0, numPairs),
        expertIds: new Uint32Array(numPairs),
        routingWeights: new Float32Array(numPairs),
        rows: new Float32Array(HIDDEN),
      });
      expect((await answered).toString()).toContain('1 rows have 7000000 pairs');
    });
    expect(keptMib).toBeLessThan(96);
  });

  it('gives the memory back that the largest call took', async () => {
    const call = (numRows: number): Call => ({
      numRows,
      rowOffsets: Uint32Array.from({ length: numRows + 1 }, (_, row) => TOP_K * row),
      expertIds: Uint32Array.from({ length: TOP_K * numRows }, (_, pair) => pair % TOP_K),
      routingWeights: new Float32Array(TOP_K * numRows).fill(1 / TOP_K),
      rows: new Float32Array(numRows * HIDDEN).fill(0.5),
    });
    // The refusal of a call for no store names the one that there is.
    const [, storeId = ''] = /store ([0-9a-f]{16})/.exec((await dispatch(call(1)).answered).toString()) ?? [];
    const { keptMib } = await growthOf('worker', async () => {
      const { answered } = dispatch(call(MAX_DISPATCH_ROWS), storeId);
      expect((await answered).byteLength).toBeGreaterThan(MAX_DISPATCH_ROWS * HIDDEN * 4);
    });
    expect(keptMib).toBeLessThan(80);
  });
});

type Call = Pick<DispatchCall, 'numRows' | 'rowOffsets' | 'expertIds' | 'routingWeights'> & {
  readonly rows: Float32Array;
};

/** One call of layer 0, and its answer. */
function dispatch(call: Call, storeId = '') {
  const { stream } = beginRequest(open(ports.data), expertService.dispatch.path);
  const chunks: Buffer[] = [];
  let numBytes = 0;
  const answered = new Promise<Buffer>((resolve) => {
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      numBytes += chunk.byteLength;
      if (numBytes >= 5 && numBytes >= 5 + Buffer.concat(chunks.slice(0, 5)).readUInt32BE(1))
        resolve(Buffer.concat(chunks));
    });
  });
  const head = { callId: 1, layerIndex: 0, placementVersion: 1, hiddenSize: HIDDEN, rowDtype: 'fp32' } as const;
  stream.write(frameDispatchCall({ ...head, storeId, ...call }));
  return { answered };
}

describe('the control port', () => {
  it('holds nothing of 40 calls that have sent 60 of 64 MiB', async () => {
    const { peakMib, keptMib } = await growthOf('worker', async () => {
      const part = Buffer.alloc(MIB);
      const calls = Array.from({ length: 40 }, () => {
        const request = beginRequest(open(ports.control), workerService.assign.path);
        request.stream.write(grpcPrefix(MAX_MESSAGE_BYTES));
        for (let index = 0; index < 60; index++) request.stream.write(part);
        return request;
      });
      for (const { ended } of calls) expect(await ended).toMatchObject({ status: RESOURCE_EXHAUSTED });
    });
    expect(peakMib).toBeLessThan(160);
    expect(keptMib).toBeLessThan(96);
  });

  it('takes no command of an epoch that no election gave', async () => {
    const { stream, ended } = beginRequest(open(ports.control), workerService.unload.path);
    const message = Buffer.from(UnloadRequest.encode({ epoch: Number.MAX_SAFE_INTEGER }).finish());
    stream.end(Buffer.concat([grpcPrefix(message.byteLength), message]));
    expect(await ended).toMatchObject({ status: FAILED_PRECONDITION });
    expect((await complete('What is 2 + 3?')).status).toBe(200);
  });
});

describe('HTTP', () => {
  it.each(['[', '[],'])('refuses 63 MiB of %s to an admin route before it is parsed', async (piece) => {
    const { peakMib } = await growthOf('coordinator', () =>
      expectUndisturbed(async () => {
        // Whoever goes on sending after the refusal may find the connection reset before it has read that.
        expect(await postFromElsewhere(ports.http, '/admin/v1/placement/apply', piece, 63 * MIB)).toMatch(
          / 413 |ECONNRESET|EPIPE/,
        );
      }),
    );
    expect(peakMib).toBeLessThan(256);
  });

  it('holds a bounded part of 2,000 bodies of 380 KiB that lack a byte, and serves others', async () => {
    const body = Buffer.alloc(380 * 1024, 32);
    const head = Buffer.from(
      `POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n` +
        `content-length: ${String(body.byteLength + 1)}\r\n\r\n`,
    );
    const { peakMib, keptMib } = await growthOf('coordinator', async () => {
      const sockets = Array.from({ length: 2_000 }, () => connectTcp(ports.http, '127.0.0.1'));
      for (const socket of sockets) {
        cleanUps.push(() => socket.destroy());
        socket.on('error', () => undefined).resume();
        await written(socket, Buffer.concat([head, body]));
      }
      expect((await complete('What is 2 + 3?')).status).toBe(200);
    });
    expect(peakMib).toBeLessThan(400);
    expect(keptMib).toBeLessThan(256);
  });

  it('tokenises 380 KiB of half control tokens beside what it serves', async () => {
    const attack = async (): Promise<void> => {
      expect((await complete('<|im_'.repeat((380 * 1024) / 5))).status).toBe(400);
    };
    await attack();
    await expectUndisturbed(attack);
  });
});

/** Resolves when the bytes are sent, or the server has hung up. */
const written = (socket: Socket, bytes: Buffer): Promise<void> =>
  new Promise((resolve) => {
    socket.once('close', () => {
      resolve();
    });
    socket.write(bytes, () => {
      resolve();
    });
  });

describe('gRPC', () => {
  it('refuses a prompt of 4 MiB by its size', async () => {
    const prompt = { $case: 'text', value: 'word '.repeat((4 * MIB) / 5) } as const;
    const message = Buffer.from(GenerateRequest.encode(GenerateRequest.fromPartial({ prompt })).finish());
    await expectUndisturbed(async () => {
      const { stream, ended } = beginRequest(open(ports.grpc), inferenceService.generate.path);
      stream.end(Buffer.concat([grpcPrefix(message.byteLength), message]));
      expect(await ended).toMatchObject({ status: INVALID_ARGUMENT });
    });
  });
});
