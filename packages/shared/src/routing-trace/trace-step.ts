import { type RoutingShape } from '../balance/routing-shape.js';
import { ExpertmeshError } from '../errors/expertmesh-error.js';

/** The routes of one pass of a batch through the model. */
export interface TraceStep {
  readonly numRows: number;
  /** A bit a row, lowest first: whether it is of a sequence that decodes; a row of a prompt otherwise. */
  readonly decodeBits: Uint8Array;
  /** [layers, rows, top-k]; layers are positions in the header's list. */
  readonly expertIds: ExpertIds;
}

export type ExpertIds = Uint8Array | Uint16Array;

/** Bytes of an expert's id. */
export function idBytes(numExperts: number): 1 | 2 {
  return numExperts <= 256 ? 1 : 2;
}

const ROWS_BYTES = 4;

/** Every part of a step is a multiple of 4 bytes, so that ids of 2 bytes can be read where they lie. */
const padded = (numBytes: number): number => Math.ceil(numBytes / 4) * 4;

export function decodeBitsBytes(numRows: number): number {
  return padded(Math.ceil(numRows / 8));
}

const numIds = ({ layerIndices, topK }: RoutingShape, numRows: number): number => layerIndices.length * numRows * topK;

export function stepBytes(shape: RoutingShape, numRows: number): number {
  return ROWS_BYTES + decodeBitsBytes(numRows) + padded(numIds(shape, numRows) * idBytes(shape.numExperts));
}

/** An empty step to be filled, and its bytes as they stand in a chunk. */
export function newStep(
  shape: RoutingShape,
  numRows: number,
): { readonly step: TraceStep; readonly bytes: Uint8Array } {
  const bytes = new Uint8Array(stepBytes(shape, numRows));
  new DataView(bytes.buffer).setUint32(0, numRows, true);
  return { step: stepAt(shape, bytes, 0, numRows), bytes };
}

/**
 * The steps of a chunk's content, as views.
 *
 * @param content at an address that is a multiple of 4
 * @throws ExpertmeshError `data_loss` for one that is not made of whole steps, or names experts that there are not.
 */
export function* stepsOf(shape: RoutingShape, content: Uint8Array): Generator<TraceStep> {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  for (let offset = 0; offset < content.length;) {
    const numRows = offset + ROWS_BYTES <= content.length ? view.getUint32(offset, true) : 0;
    const sizeBytes = stepBytes(shape, numRows);
    if (numRows === 0 || offset + sizeBytes > content.length) throw damaged('a step is not whole');
    const step = stepAt(shape, content, offset, numRows);
    if (largest(step.expertIds) >= shape.numExperts) throw damaged('an expert does not exist');
    yield step;
    offset += sizeBytes;
  }
}

function stepAt(shape: RoutingShape, content: Uint8Array, offset: number, numRows: number): TraceStep {
  const bitsStart = content.byteOffset + offset + ROWS_BYTES;
  const idsStart = bitsStart + decodeBitsBytes(numRows);
  const { buffer } = content;
  const length = numIds(shape, numRows);
  return {
    numRows,
    decodeBits: new Uint8Array(buffer, bitsStart, decodeBitsBytes(numRows)),
    expertIds:
      idBytes(shape.numExperts) === 1
        ? new Uint8Array(buffer, idsStart, length)
        : new Uint16Array(buffer, idsStart, length),
  };
}

export function numDecodeRows({ decodeBits }: TraceStep): number {
  let count = 0;
  for (let bits of decodeBits) for (; bits > 0; bits >>= 1) count += bits & 1;
  return count;
}

function largest(ids: ExpertIds): number {
  let most = 0;
  for (const id of ids) most = Math.max(most, id);
  return most;
}

const damaged = (what: string): ExpertmeshError =>
  new ExpertmeshError('data_loss', `the trace is damaged (${what}): record it again`);
