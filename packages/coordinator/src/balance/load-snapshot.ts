import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { crc32, deflateRaw, inflateRaw } from 'node:zlib';
import { CountSums } from '@expertmesh/shared/balance/count-sums';
import { isSameShape, type RoutingShape } from '@expertmesh/shared/balance/routing-shape';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Logger } from '@expertmesh/shared/process/logger';
import { z } from 'zod';
import { type CountsSource } from './counts-message.js';

/** What survives a restart. Windows do not: they fill again soon. */
export interface LoadSnapshot {
  readonly recent: CountSums;
  readonly total: CountSums;
  readonly heard: readonly CountsSource[];
}

/** Magic and version, header length, checksum of all that follows the prefix. */
const MAGIC = 0x534c5845;
const VERSION = 1;
const PREFIX_BYTES = 16;
const MAX_FILE_BYTES = 1024 ** 3;

const sumsSchema = z.strictObject({
  numRows: z.number().nonnegative(),
  numSteps: z.number().nonnegative(),
  workers: z.array(z.tuple([z.string(), z.array(z.number().nonnegative()), z.array(z.number().nonnegative())])),
});

const headerSchema = z.strictObject({
  storeId: z.string(),
  layerIndices: z.array(z.number()),
  numExperts: z.number(),
  topK: z.number(),
  heard: z.array(z.strictObject({ bootId: z.string(), sequence: z.number() })),
  recent: sumsSchema,
  total: sumsSchema,
});

type Header = z.infer<typeof headerSchema>;
type SumsHeader = z.infer<typeof sumsSchema>;

const deflate = promisify<Uint8Array, { level: number }, Buffer>(deflateRaw);
const inflate = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(inflateRaw);

/** Writes beside the file and renames, so that there is always a whole one. Compresses beside the calling thread. */
export async function writeSnapshot(file: string, storeId: string, snapshot: LoadSnapshot): Promise<void> {
  const { recent, total, heard } = snapshot;
  const header: Header = {
    ...recent.shape,
    layerIndices: [...recent.shape.layerIndices],
    storeId,
    heard: [...heard],
    recent: sumsHeader(recent),
    total: sumsHeader(total),
  };
  const json = Buffer.from(JSON.stringify(header));
  const arrays = Buffer.concat([...arraysOf(recent), ...arraysOf(total)].map((values) => Buffer.from(bytesOf(values))));
  const body = Buffer.concat([json, await deflate(arrays, { level: 1 })]);
  const prefix = Buffer.alloc(PREFIX_BYTES);
  for (const [i, word] of [MAGIC, VERSION, json.length, crc32(body)].entries()) prefix.writeUInt32LE(word, 4 * i);
  await mkdir(dirname(file), { recursive: true });
  const anew = `${file}.new`;
  await writeFile(anew, Buffer.concat([prefix, body]), { mode: 0o600, flush: true });
  await rename(anew, file);
}

/**
 * What was written last; undefined where there is nothing. What cannot be used is set aside as `<file>.unusable`, with
 * a warning.
 */
export async function readSnapshot(
  file: string,
  storeId: string,
  shape: RoutingShape,
  logger: Logger,
): Promise<LoadSnapshot | undefined> {
  try {
    return await parse(await readFile(file), storeId, shape);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    const aside = `${file}.unusable`;
    const reason = ExpertmeshError.from(thrown).message;
    await rename(file, aside).catch(() => undefined);
    logger.warn({ file, aside, reason }, 'expert loads of before cannot be used: counting starts anew');
    return undefined;
  }
}

async function parse(bytes: Buffer, storeId: string, shape: RoutingShape): Promise<LoadSnapshot> {
  const damaged = (what: string): ExpertmeshError =>
    new ExpertmeshError('data_loss', `the snapshot of expert loads is damaged: ${what}`);
  if (bytes.length < PREFIX_BYTES || bytes.readUInt32LE(0) !== MAGIC) throw damaged('it is another file');
  const [version, jsonBytes, checksum] = [bytes.readUInt32LE(4), bytes.readUInt32LE(8), bytes.readUInt32LE(12)];
  if (version !== VERSION) throw damaged(`it has version ${String(version)}, not ${String(VERSION)}`);
  const body = bytes.subarray(PREFIX_BYTES);
  if (crc32(body) !== checksum) throw damaged('its checksum is wrong');
  const header = headerSchema.parse(JSON.parse(body.subarray(0, jsonBytes).toString()));
  if (header.storeId !== storeId || !isSameShape(header, shape))
    throw new ExpertmeshError('failed_precondition', `it is of store ${header.storeId}, this is store ${storeId}`);
  const arrays = await inflate(body.subarray(jsonBytes), { maxOutputLength: MAX_FILE_BYTES });
  const [recent, total] = [new CountSums(shape), new CountSums(shape)];
  let offset = 0;
  for (const values of [...arraysOf(recent), ...arraysOf(total)]) {
    const target = bytesOf(values);
    if (offset + target.length > arrays.length) throw damaged('it is too short');
    target.set(arrays.subarray(offset, offset + target.length));
    offset += target.length;
  }
  restore(recent, header.recent);
  restore(total, header.total);
  return { recent, total, heard: header.heard };
}

const arraysOf = (sums: CountSums): Float64Array[] => [
  sums.tokens,
  sums.activeSteps,
  sums.probabilitySums,
  sums.coactivations,
];

const bytesOf = ({ buffer, byteOffset, byteLength }: Float64Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

const sumsHeader = ({ numRows, numSteps, workers }: CountSums): SumsHeader => ({
  numRows,
  numSteps,
  workers: [...workers].map(([workerId, { tokens, rows }]) => [workerId, [...tokens], [...rows]]),
});

function restore(sums: CountSums, { numRows, numSteps, workers }: SumsHeader): void {
  sums.addSteps(numSteps, numRows);
  for (const [workerId, tokens, rows] of workers) {
    const of = sums.worker(workerId);
    of.tokens.set(tokens.slice(0, of.tokens.length));
    of.rows.set(rows.slice(0, of.rows.length));
  }
}
