import { attentionError } from '@expertmesh/compute/attention/attention-error';
import { DeviceAttentionSession, noContext } from '@expertmesh/compute/attention/device-attention-session';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { MAX_ATTENTION_SCORES } from '@expertmesh/shared/limits/limits';
import { type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { type DeviceTensor } from '@expertmesh/shared/onnx/device-tensor';
import { type OnnxProvider } from '@expertmesh/shared/onnx/onnx-provider';
import { type OnnxTensor } from '@expertmesh/shared/onnx/session';
import { type SequenceRows } from './dense-runner.js';
import { deviceCache, DeviceKvCache } from './device-kv-cache.js';
import { type OnnxAttention, type StepAttention, type StepContext } from './onnx-attention.js';
import { reliableRows } from './reliable-rows.js';

/**
 * Attention on a GPU whose memory holds the caches. Queries, keys, values and the answers stay there, too. A run takes
 * rows of one sequence and puts their answers behind those of the runs before.
 */
export class DeviceAttention implements OnnxAttention {
  readonly deviceInputs = ['q', 'k', 'v'];
  readonly #spec: ModelSpec;
  readonly #session: DeviceAttentionSession;
  readonly #maxRows: number;

  private constructor(spec: ModelSpec, session: DeviceAttentionSession, maxRows: number) {
    this.#spec = spec;
    this.#session = session;
    this.#maxRows = maxRows;
  }

  /**
   * @param provider one that offers tensors on its device: WebGPU.
   * @throws ExpertmeshError `failed_precondition` when the device computes attention wrongly.
   */
  static async load(spec: ModelSpec, provider: OnnxProvider, numThreads: number): Promise<DeviceAttention> {
    const session = await DeviceAttentionSession.load(spec, { provider, numThreads });
    try {
      const maxRows = await reliableRows((numRows) => attentionError(spec, session, numRows, numThreads));
      return new DeviceAttention(spec, session, maxRows);
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  createCache(maxTokens: number): DeviceKvCache {
    return new DeviceKvCache(this.#spec, maxTokens, (capacity) => this.#session.allocateCache(capacity));
  }

  begin(sequences: readonly SequenceRows[]): StepAttention {
    const pieces = inPieces(sequences, this.#spec.numHeads, this.#maxRows);
    return {
      run: async (layerIndex, outputs) => {
        const qkv = { q: outputs.device('q'), k: outputs.device('k'), v: outputs.device('v') };
        try {
          return await this.#attendAll(layerIndex, qkv, pieces);
        } finally {
          for (const tensor of Object.values(qkv)) tensor.release();
        }
      },
    };
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  /**
   * Two places take turns: each piece reads the answers before it in one and writes them, with its own, to the other.
   */
  async #attendAll(layerIndex: number, qkv: DeviceQkv, pieces: readonly Piece[]): Promise<StepContext> {
    const numRows = pieces.at(-1)?.endRow ?? 0;
    const places = [await this.#session.allocateContext(numRows)];
    const release = (): void => {
      for (const place of places) place.release();
    };
    try {
      if (pieces.length > 1) places.push(await this.#session.allocateContext(numRows));
      let contextBefore: OnnxTensor | DeviceTensor = noContext(this.#spec);
      for (const [index, piece] of pieces.entries()) {
        const contextInto = this.#rowsOf(places[index % 2], piece.endRow);
        const { cache, ...rows } = piece;
        const caches = await cache.layer(layerIndex);
        await this.#session.attend({ ...qkv, ...rows, ...caches, contextBefore, contextInto });
        contextBefore = contextInto;
      }
      return { tensor: contextBefore, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  #rowsOf(place: DeviceTensor | undefined, numRows: number): DeviceTensor {
    if (place === undefined) throw new ExpertmeshError('internal', 'attention has no place for its answers');
    return place.view([numRows, this.#spec.numHeads * this.#spec.headDim]);
  }
}

type DeviceQkv = Readonly<Record<'q' | 'k' | 'v', DeviceTensor>>;

/** Rows of one sequence, few enough for the memory that their scores take. */
interface Piece {
  readonly cache: DeviceKvCache;
  /** Of the step's rows, those from here ... */
  readonly firstRow: number;
  /** ... to before here. */
  readonly endRow: number;
  /** Tokens of the sequence up to the last of the rows. */
  readonly numTokens: number;
}

function inPieces(sequences: readonly SequenceRows[], numHeads: number, mostRows: number): Piece[] {
  const pieces: Piece[] = [];
  let firstRow = 0;
  for (const { numRows, cache: anyCache } of sequences) {
    const cache = deviceCache(anyCache);
    const fitting = Math.floor(MAX_ATTENTION_SCORES / (numHeads * cache.capacity));
    const maxRows = Math.max(1, Math.min(mostRows, fitting));
    for (let row = 0; row < numRows; row += maxRows) {
      const end = Math.min(row + maxRows, numRows);
      pieces.push({ cache, firstRow: firstRow + row, endRow: firstRow + end, numTokens: cache.length + end });
    }
    firstRow += numRows;
  }
  return pieces;
}
