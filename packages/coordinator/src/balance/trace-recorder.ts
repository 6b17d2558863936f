import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type RoutingShape } from '@expertmesh/shared/balance/routing-shape';
import { CHUNK_CONTENT_BYTES, MAX_CONTENT_BYTES } from '@expertmesh/shared/routing-trace/trace-chunk';
import { newStep, stepBytes, type TraceStep } from '@expertmesh/shared/routing-trace/trace-step';
import { type LayerRoutes } from '../dense/dense-runner.js';
import { type Chunk } from '../engine/forward.js';

/** Whole steps, as they stand in a chunk before it is compressed. */
export interface RecordedSteps {
  readonly content: Uint8Array<ArrayBuffer>;
  readonly numRows: number;
}

export interface TraceSink {
  /** Takes the content away from this thread. */
  steps(recorded: RecordedSteps): void;
  /** Nothing follows. */
  end(error?: ExpertmeshError): void;
}

/** Bytes that were handed over and not acknowledged yet; a reader that lets more than this wait loses its recording. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024;
const FLUSH_INTERVAL_MS = 1000;

interface Recording {
  readonly id: number;
  readonly sink: TraceSink;
  /**
   * Passes under way, by the list of chunks that they are of. One that loses rows to a failure goes on with another
   * list, and is left out.
   */
  readonly passes: WeakMap<readonly Chunk[], { readonly step: TraceStep; readonly bytes: Uint8Array }>;
  rowsLeft: number;
  unreadBytes: number;
  content: Uint8Array[];
  contentBytes: number;
  numRows: number;
  flushedMs: number;
}

/** Records the routes of every pass, in the engine thread. It never waits for whoever reads them. */
export class TraceRecorder {
  readonly #shape: RoutingShape;
  readonly #nowMs: () => number;
  readonly #positions: ReadonlyMap<number, number>;
  #recording: Recording | undefined;

  constructor(shape: RoutingShape, nowMs: () => number = () => performance.now()) {
    this.#shape = shape;
    this.#nowMs = nowMs;
    this.#positions = new Map(shape.layerIndices.map((layerIndex, position) => [layerIndex, position]));
  }

  /** @param maxRows after which the recording ends by itself; steps are not divided. */
  start(id: number, maxRows: number, sink: TraceSink): void {
    if (this.#recording !== undefined) {
      sink.end(new ExpertmeshError('resource_exhausted', 'a recording is under way on this coordinator: end it first'));
      return;
    }
    this.#recording = {
      id,
      sink,
      passes: new WeakMap(),
      rowsLeft: maxRows,
      unreadBytes: 0,
      content: [],
      contentBytes: 0,
      numRows: 0,
      flushedMs: this.#nowMs(),
    };
  }

  /** Ends the recording after the steps that are whole by now. */
  stop(id: number): void {
    if (this.#recording?.id === id) this.#finish(this.#recording);
  }

  /** The reader has taken so many bytes of content. */
  acknowledge(id: number, numBytes: number): void {
    if (this.#recording?.id === id) this.#recording.unreadBytes -= numBytes;
  }

  /** To be called a few times a second: hands over what has waited for a second, for those who watch. */
  flushIfDue(): void {
    const recording = this.#recording;
    if (recording !== undefined && this.#nowMs() - recording.flushedMs >= FLUSH_INTERVAL_MS) this.#flush(recording);
  }

  observe(layerIndex: number, { expertIds }: LayerRoutes, chunks: readonly Chunk[]): void {
    const recording = this.#recording;
    if (recording === undefined) return;
    const layer = this.#positions.get(layerIndex) ?? 0;
    if (layer === 0) this.#begin(recording, chunks, expertIds.length / this.#shape.topK);
    const pass = recording.passes.get(chunks);
    if (pass === undefined) return;
    pass.step.expertIds.set(expertIds, layer * expertIds.length);
    if (layer === this.#shape.layerIndices.length - 1) this.#complete(recording, pass);
  }

  #begin(recording: Recording, chunks: readonly Chunk[], numRows: number): void {
    if (stepBytes(this.#shape, numRows) > MAX_CONTENT_BYTES) {
      const limit = `${String(MAX_CONTENT_BYTES)} bytes of routes`;
      const error = `a step of ${String(numRows)} rows has more than ${limit}: lower --max-batch-tokens`;
      this.#end(recording, new ExpertmeshError('resource_exhausted', error));
      return;
    }
    const pass = newStep(this.#shape, numRows);
    markDecodeRows(pass.step.decodeBits, chunks);
    recording.passes.set(chunks, pass);
  }

  #complete(recording: Recording, { step, bytes }: { readonly step: TraceStep; readonly bytes: Uint8Array }): void {
    recording.content.push(bytes);
    recording.contentBytes += bytes.length;
    recording.numRows += step.numRows;
    recording.rowsLeft -= step.numRows;
    if (recording.rowsLeft <= 0) this.#finish(recording);
    else if (recording.contentBytes >= CHUNK_CONTENT_BYTES) this.#flush(recording);
  }

  #finish(recording: Recording): void {
    if (this.#flush(recording)) this.#end(recording);
  }

  #end(recording: Recording, error?: ExpertmeshError): void {
    this.#recording = undefined;
    recording.sink.end(error);
  }

  /** @returns false where that ended the recording. */
  #flush(recording: Recording): boolean {
    recording.flushedMs = this.#nowMs();
    if (recording.contentBytes === 0) return true;
    if (recording.unreadBytes + recording.contentBytes > MAX_UNREAD_BYTES) {
      const limits = `${String(recording.unreadBytes)} bytes wait for it, ${String(MAX_UNREAD_BYTES)} may`;
      this.#end(
        recording,
        new ExpertmeshError('resource_exhausted', `the reader of the recording is too slow: ${limits}`),
      );
      return false;
    }
    const content = new Uint8Array(recording.contentBytes);
    let offset = 0;
    for (const bytes of recording.content) {
      content.set(bytes, offset);
      offset += bytes.length;
    }
    const { numRows } = recording;
    recording.unreadBytes += content.length;
    recording.content = [];
    recording.contentBytes = 0;
    recording.numRows = 0;
    recording.sink.steps({ content, numRows });
    return true;
  }
}

// A sequence that decodes has logits of every row; in a prompt's pieces at most the last row has.
function markDecodeRows(decodeBits: Uint8Array, chunks: readonly Chunk[]): void {
  let row = 0;
  for (const { tokenIds, numLogits } of chunks) {
    for (let i = 0; i < tokenIds.length; i++, row++)
      if (numLogits === tokenIds.length) decodeBits[row >> 3] = (decodeBits[row >> 3] ?? 0) | (1 << (row & 7));
  }
}
