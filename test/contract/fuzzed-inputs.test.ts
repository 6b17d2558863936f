import { readFileSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { answerTask } from '@expertmesh/coordinator/text/template-process/bounded-render';
import { loadTokenizer } from '@expertmesh/coordinator/text/tokenizer';
import {
  encodeLeaderRecord,
  encodeWorkerRecord,
  parseLeaderRecord,
  parseWorkerRecord,
} from '@expertmesh/shared/cluster/member-record';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { parseSafetensorsHeader } from '@expertmesh/shared/expert-store/checkpoint/safetensors-header';
import { parseManifest } from '@expertmesh/shared/expert-store/manifest';
import { checksumField, verified } from '@expertmesh/shared/rpc/dispatch-checksum';
import {
  decodeDispatchAnswer,
  decodeDispatchCall,
  frameDispatchAnswer,
  frameDispatchCall,
} from '@expertmesh/shared/rpc/dispatch-codec';
import { GRPC_PREFIX_BYTES, GrpcFrameReader } from '@expertmesh/shared/rpc/grpc-stream/grpc-frame';
import { UNCOUNTED } from '@expertmesh/shared/rpc/grpc-stream/partial-memory';
import { mutatedBytes } from '@expertmesh/test-kit/mutated-bytes';
import { tempDir } from '@expertmesh/test-kit/temp-dir';

const MODEL_DIR = join(import.meta.dirname, '../../models/qwen3-moe-demo');
/** `npm run test:fuzz` has more. */
const NUM_INPUTS = Number(process.env['NUM_INPUTS'] ?? 300);
/** For one input, on a core that has other things to do. */
const MAX_MS = 2_000;

interface Target {
  readonly what: string;
  readonly right: Uint8Array;
  readonly read: (bytes: Buffer) => unknown;
  /** Those that are slow get a part of the inputs. */
  readonly share?: number;
}

const head = { callId: 1, layerIndex: 0, placementVersion: 1, numRows: 2, hiddenSize: 4 } as const;
const storeId = '0123456789abcdef';
const rows = { rowDtype: 'fp32', rows: new Float32Array(8).fill(0.5) } as const;
const pairs = {
  rowOffsets: Uint32Array.of(0, 2, 3),
  expertIds: Uint32Array.of(1, 2, 2),
  routingWeights: Float32Array.of(0.5, 0.25, 0.25),
};
const times = { queueUs: 1, computeUs: 2, numCallsTogether: 1 };

const ids = { formatVersion: 1, bootId: 'b' } as const;
const workerRecord = {
  ...ids,
  ...{ workerId: 'w', heartbeat: 3, controlAddress: 'box:9101', storeId: 's', failureDomain: 'd' },
};
const leaderRecord = { ...ids, coordinatorId: 'c', epoch: 4, renewal: 2, hasResigned: false };

const blob = { path: 'dense/head.bin', sizeBytes: 64, sha256: 'a'.repeat(64) };
const manifest = {
  formatVersion: 1,
  modelConfig: {},
  quantisation: { bits: 32 },
  blobs: [blob],
  files: [{ ...blob, path: 'tokenizer.json' }],
};
const tensors = {
  a: { dtype: 'F32', shape: [2, 2], data_offsets: [0, 16] },
  b: { dtype: 'BF16', shape: [3], data_offsets: [16, 22] },
};
const tokenizerConfig = JSON.parse(readFileSync(join(MODEL_DIR, 'tokenizer_config.json'), 'utf8')) as {
  chat_template: string;
};

const tokenizerDir = tempDir();
await cp(join(MODEL_DIR, 'tokenizer_config.json'), join(tokenizerDir, 'tokenizer_config.json'));

async function readTokenizer(json: Buffer): Promise<void> {
  writeFileSync(join(tokenizerDir, 'tokenizer.json'), json);
  const tokenizer = await loadTokenizer(tokenizerDir);
  tokenizer.decode([...(await tokenizer.encode('What is 2 + 3?')), 5]);
}

function renderTemplate(bytes: Buffer): void {
  const input = { messages: [{ role: 'user', content: 'hi' }], addGenerationPrompt: true } as const;
  const answer = answerTask({ source: bytes.toString(), specialTokens: {}, input });
  if ('error' in answer && answer.error.code !== 'invalid_argument') throw new Error(answer.error.message);
}

const readFrames =
  (decode: (message: Buffer) => unknown) =>
  (bytes: Buffer): void => {
    new GrpcFrameReader(1_000_000, UNCOUNTED, decode).push(bytes);
  };

/** By a sender that gives what it sends its checksum. */
const readSealed =
  (decode: (message: Buffer) => unknown) =>
  (bytes: Buffer): unknown =>
    decode(Buffer.concat([bytes, checksumField(bytes)]));

const callFrame = frameDispatchCall({ ...head, storeId, ...pairs, ...rows });
const answerFrame = frameDispatchAnswer({ ...head, numPairs: 3, error: undefined, ...times, ...rows });
const bodyOf = (frame: Buffer): Uint8Array => verified(frame.subarray(GRPC_PREFIX_BYTES));

const targets: readonly Target[] = [
  { what: 'dispatch calls', right: callFrame, read: readFrames(decodeDispatchCall) },
  { what: 'dispatch answers', right: answerFrame, read: readFrames(decodeDispatchAnswer) },
  { what: 'dispatch calls that are as they were sent', right: bodyOf(callFrame), read: readSealed(decodeDispatchCall) },
  {
    what: 'dispatch answers that are as they were sent',
    right: bodyOf(answerFrame),
    read: readSealed(decodeDispatchAnswer),
  },
  { what: 'worker records', right: encodeWorkerRecord(workerRecord), read: parseWorkerRecord },
  { what: 'leader records', right: encodeLeaderRecord(leaderRecord), read: parseLeaderRecord },
  {
    what: 'safetensors headers',
    right: Buffer.from(JSON.stringify(tensors)),
    read: (bytes) => parseSafetensorsHeader('x', bytes, 8 + bytes.byteLength + 22),
  },
  {
    what: 'manifests',
    right: Buffer.from(JSON.stringify(manifest)),
    read: (bytes) => parseManifest(bytes.toString(), 'x'),
  },
  {
    what: 'chat templates',
    right: Buffer.from(tokenizerConfig.chat_template),
    read: renderTemplate,
    share: 0.5,
  },
  { what: 'tokenizer.json', right: readFileSync(join(MODEL_DIR, 'tokenizer.json')), read: readTokenizer, share: 0.1 },
];

it.each(targets)('$what that are wrong are refused with an error of ours, soon', async ({ right, read, share = 1 }) => {
  await read(Buffer.from(right));
  const failures: string[] = [];
  for (let seed = 1; seed <= NUM_INPUTS * share; seed++) {
    const startMs = performance.now();
    try {
      await read(mutatedBytes(right, seed));
    } catch (thrown) {
      if (!(thrown instanceof ExpertmeshError)) failures.push(`seed ${String(seed)}: ${String(thrown)}`);
    }
    if (performance.now() - startMs > MAX_MS) failures.push(`seed ${String(seed)} took too long`);
  }
  expect(failures.slice(0, 10)).toEqual([]);
});
