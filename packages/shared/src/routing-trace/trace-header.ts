import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { type RoutingShape } from '../balance/routing-shape.js';
import { ExpertmeshError } from '../errors/expertmesh-error.js';

/** What a trace is of. The format is described in docs/traces.md. */
export interface TraceHeader extends RoutingShape {
  readonly formatVersion: 1;
  readonly storeId: string;
  readonly numLayers: number;
  readonly hiddenSize: number;
}

export const TRACE_MAGIC = Uint8Array.from('EXMTRACE', (letter) => letter.charCodeAt(0));

/** Magic, length and checksum of the header's JSON. */
export const HEADER_PREFIX_BYTES = TRACE_MAGIC.length + 8;

export const MAX_HEADER_BYTES = 64 * 1024;

const count = z.number().int().positive();

const headerSchema = z
  .strictObject({
    formatVersion: z.literal(1),
    storeId: z.string(),
    numLayers: count,
    layerIndices: z.array(z.number().int().nonnegative()).nonempty(),
    hiddenSize: count,
    numExperts: count.max(65_536),
    topK: count,
  })
  .refine(({ topK, numExperts }) => topK <= numExperts, 'topK is more than numExperts')
  .refine(
    ({ layerIndices, numLayers }) =>
      layerIndices.every((layerIndex, i) => layerIndex < numLayers && layerIndex > (layerIndices[i - 1] ?? -1)),
    'layerIndices must ascend below numLayers',
  );

/** The beginning of a trace. */
export function encodeTraceHeader(header: TraceHeader): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const bytes = new Uint8Array(HEADER_PREFIX_BYTES + json.length);
  bytes.set(TRACE_MAGIC);
  const view = new DataView(bytes.buffer);
  view.setUint32(TRACE_MAGIC.length, json.length, true);
  view.setUint32(TRACE_MAGIC.length + 4, crc32(json), true);
  bytes.set(json, HEADER_PREFIX_BYTES);
  return bytes;
}

/** @returns bytes of the JSON that follows. @throws ExpertmeshError `invalid_argument` for what is no trace. */
export function headerJsonBytes(prefix: Uint8Array): number {
  if (!TRACE_MAGIC.every((byte, i) => prefix[i] === byte))
    throw new ExpertmeshError('invalid_argument', 'this is not a routing trace: record one with `experts record`');
  const sizeBytes = viewOf(prefix).getUint32(TRACE_MAGIC.length, true);
  if (sizeBytes <= MAX_HEADER_BYTES) return sizeBytes;
  throw new ExpertmeshError(
    'data_loss',
    `the trace's header says that it has ${String(sizeBytes)} bytes; ` +
      `at most ${String(MAX_HEADER_BYTES)} are possible: record it again`,
  );
}

/** @throws ExpertmeshError `data_loss` for a damaged header, `unimplemented` for one of another version. */
export function parseTraceHeader(prefix: Uint8Array, json: Uint8Array): TraceHeader {
  if (crc32(json) !== viewOf(prefix).getUint32(TRACE_MAGIC.length + 4, true))
    throw new ExpertmeshError('data_loss', "the trace's header is damaged (its checksum is wrong): record it again");
  const raw = JSON.parse(new TextDecoder().decode(json)) as { formatVersion?: unknown };
  if (raw.formatVersion !== 1)
    throw new ExpertmeshError(
      'unimplemented',
      `the trace has format version ${String(raw.formatVersion)}; this program reads version 1: ` +
        'record it again, or use the program that wrote it',
    );
  const parsed = headerSchema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'header'}: ${issue.message}`);
  throw new ExpertmeshError('data_loss', `the trace's header makes no sense: ${issues.join('; ')}`);
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
