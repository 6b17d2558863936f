import { type CountSums } from '@expertmesh/shared/balance/count-sums';
import { isSameShape, numExpertPairs, type RoutingShape } from '@expertmesh/shared/balance/routing-shape';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { z } from 'zod';
import { VarintReader, VarintWriter } from './varints.js';

/** Where counts come from. A process numbers its messages, so that none is counted twice. */
export interface CountsSource {
  readonly bootId: string;
  readonly sequence: number;
}

/** Magic and version, which change together with anything below. */
const MAGIC = 0x434c5845;
const VERSION = 1;
const PREFIX_BYTES = 12;
/** Layers are added to a message until it has this many bytes; a control plane takes 1 MB. */
const TARGET_BYTES = 512 * 1024;

const count = z.number().nonnegative();
const metaSchema = z.strictObject({
  bootId: z.string(),
  sequence: z.number().int().positive(),
  storeId: z.string(),
  layerIndices: z.array(z.number().int().nonnegative()),
  numExperts: z.number().int().positive(),
  topK: z.number().int().positive(),
  /** Positions of the layers that the message has. */
  firstLayer: z.number().int().nonnegative(),
  numLayers: z.number().int().positive(),
  numRows: count,
  numSteps: count,
  workers: z.array(z.tuple([z.string(), z.array(count), z.array(count)])),
});

type Meta = z.infer<typeof metaSchema>;

/**
 * Counts as messages below 1 MB. Each stands for itself and has some of the layers; rows and steps are in the last one,
 * so that a window does not end between them.
 */
export function encodeCounts(
  counts: CountSums,
  storeId: string,
  bootId: string,
  firstSequence: number,
): Uint8Array<ArrayBuffer>[] {
  const { layerIndices, numExperts, topK } = counts.shape;
  const messages: Uint8Array<ArrayBuffer>[] = [];
  for (let firstLayer = 0; firstLayer < layerIndices.length;) {
    const body = new VarintWriter();
    let endLayer = firstLayer;
    while (endLayer < layerIndices.length && body.length < TARGET_BYTES) writeLayer(body, counts, endLayer++);
    const isLast = endLayer === layerIndices.length;
    const ofLayers = (values: Float64Array): number[] => [...values.subarray(firstLayer, endLayer)];
    const meta: Meta = {
      bootId,
      sequence: firstSequence + messages.length,
      storeId,
      layerIndices: [...layerIndices],
      numExperts,
      topK,
      firstLayer,
      numLayers: endLayer - firstLayer,
      numRows: isLast ? counts.numRows : 0,
      numSteps: isLast ? counts.numSteps : 0,
      workers: [...counts.workers].map(([workerId, { tokens, rows }]) => [workerId, ofLayers(tokens), ofLayers(rows)]),
    };
    messages.push(framed(meta, body.bytes()));
    firstLayer = endLayer;
  }
  return messages;
}

/**
 * Adds a message's counts to `into`.
 *
 * @throws ExpertmeshError `unimplemented` for another version, `failed_precondition` for another store, `data_loss` for
 * what cannot be read. Then   `into` is to be cleared.
 */
export function decodeCounts(message: Uint8Array, storeId: string, into: CountSums): CountsSource {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  if (message.length < PREFIX_BYTES || view.getUint32(0, true) !== MAGIC) throw damaged('it is no message of counts');
  const version = view.getUint32(4, true);
  if (version !== VERSION)
    throw new ExpertmeshError(
      'unimplemented',
      `another coordinator sends expert loads in version ${String(version)}, ` +
        `this one reads ${String(VERSION)}: run the same version on all`,
    );
  const metaEnd = PREFIX_BYTES + view.getUint32(8, true);
  const meta = parseMeta(message.subarray(PREFIX_BYTES, metaEnd));
  checkModel(meta, storeId, into.shape);
  const body = new VarintReader(message.subarray(metaEnd));
  for (let layer = meta.firstLayer; layer < meta.firstLayer + meta.numLayers; layer++) readLayer(body, into, layer);
  if (!body.isAtEnd) throw damaged('it is too long');
  into.addSteps(meta.numSteps, meta.numRows);
  for (const [workerId, tokens, rows] of meta.workers) {
    const sums = into.worker(workerId);
    for (let i = 0; i < meta.numLayers; i++) {
      const layer = meta.firstLayer + i;
      sums.tokens[layer] = (sums.tokens[layer] ?? 0) + (tokens[i] ?? 0);
      sums.rows[layer] = (sums.rows[layer] ?? 0) + (rows[i] ?? 0);
    }
  }
  return { bootId: meta.bootId, sequence: meta.sequence };
}

function writeLayer(body: VarintWriter, counts: CountSums, layer: number): void {
  const numPairs = numExpertPairs(counts.shape.numExperts);
  for (const tokens of counts.ofLayer(counts.tokens, layer)) body.write(tokens);
  for (const steps of counts.ofLayer(counts.activeSteps, layer)) body.write(steps);
  for (const sum of counts.ofLayer(counts.probabilitySums, layer)) body.writeFloat(sum);
  body.writeSparse(counts.coactivations.subarray(layer * numPairs, (layer + 1) * numPairs));
}

function readLayer(body: VarintReader, into: CountSums, layer: number): void {
  const { numExperts } = into.shape;
  const first = layer * numExperts;
  const add = (values: Float64Array, i: number, value: number): void => {
    values[first + i] = (values[first + i] ?? 0) + value;
  };
  for (let i = 0; i < numExperts; i++) add(into.tokens, i, body.read());
  for (let i = 0; i < numExperts; i++) add(into.activeSteps, i, body.read());
  for (let i = 0; i < numExperts; i++) add(into.probabilitySums, i, body.readFloat());
  const numPairs = numExpertPairs(numExperts);
  body.addSparse(into.coactivations.subarray(layer * numPairs, (layer + 1) * numPairs));
}

function framed(meta: Meta, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(JSON.stringify(meta));
  const message = new Uint8Array(PREFIX_BYTES + json.length + body.length);
  const view = new DataView(message.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, VERSION, true);
  view.setUint32(8, json.length, true);
  message.set(json, PREFIX_BYTES);
  message.set(body, PREFIX_BYTES + json.length);
  return message;
}

function parseMeta(json: Uint8Array): Meta {
  try {
    return metaSchema.parse(JSON.parse(new TextDecoder().decode(json)));
  } catch (cause) {
    throw damaged('its header cannot be read', cause);
  }
}

function checkModel(meta: Meta, storeId: string, shape: RoutingShape): void {
  if (meta.storeId !== storeId || !isSameShape(meta, shape))
    throw new ExpertmeshError(
      'failed_precondition',
      `another coordinator sends expert loads of store ${meta.storeId}, ` +
        `this one has store ${storeId}: use one cluster name per store`,
    );
  if (meta.firstLayer + meta.numLayers > shape.layerIndices.length) throw damaged('it has too many layers');
}

const damaged = (what: string, cause?: unknown): ExpertmeshError =>
  new ExpertmeshError('data_loss', `a message of expert loads is damaged: ${what}`, { cause });
