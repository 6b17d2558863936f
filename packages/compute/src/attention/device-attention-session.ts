import { type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { buildDeviceAttentionGraph, buildDeviceZerosGraph } from '@expertmesh/shared/onnx/device-attention-graph';
import { type DeviceTensor } from '@expertmesh/shared/onnx/device-tensor';
import { type OnnxProvider } from '@expertmesh/shared/onnx/onnx-provider';
import {
  createOnnxSession,
  type OnnxOutputs,
  type OnnxSession,
  type OnnxTensor,
} from '@expertmesh/shared/onnx/session';

export interface DeviceAttentionOptions {
  /** One that offers tensors on its device: WebGPU. */
  readonly provider: OnnxProvider;
  readonly numThreads: number;
}

/** Rows of one sequence that follow each other, among all rows of a step. */
export interface AttendingRows {
  /** fp32 [step rows, heads * head_dim] */
  readonly q: OnnxTensor | DeviceTensor;
  /** fp32 [step rows, kv heads * head_dim] */
  readonly k: OnnxTensor | DeviceTensor;
  readonly v: OnnxTensor | DeviceTensor;
  /** The first of the rows ... */
  readonly firstRow: number;
  /** ... and the one behind the last. */
  readonly endRow: number;
  /**
   * The sequence's cache, each fp32 [1, kv heads, capacity, head_dim]; the rows' own keys and values are written to it.
   */
  readonly keys: DeviceTensor;
  readonly values: DeviceTensor;
  /** Tokens of the sequence up to the last of the rows. */
  readonly numTokens: number;
  /** fp32 [rows before, heads * head_dim]: answers that the new ones are put behind, or `noContext`. */
  readonly contextBefore: OnnxTensor | DeviceTensor;
  /**
   * On the device, fp32 [rows before and rows, heads * head_dim]: takes the answers, which come back from the device
   * where it is absent.
   */
  readonly contextInto?: DeviceTensor;
}

/** Attention over KV caches in the memory of a GPU, which it also makes. */
export class DeviceAttentionSession {
  readonly #spec: ModelSpec;
  readonly #attention: OnnxSession;
  readonly #zeros: OnnxSession;

  private constructor(spec: ModelSpec, attention: OnnxSession, zeros: OnnxSession) {
    this.#spec = spec;
    this.#attention = attention;
    this.#zeros = zeros;
  }

  static async load(spec: ModelSpec, options: DeviceAttentionOptions): Promise<DeviceAttentionSession> {
    const attention = await createOnnxSession(buildDeviceAttentionGraph(spec), options);
    const zeros = await createOnnxSession(buildDeviceZerosGraph(), { ...options, deviceOutputs: ['zeros'] });
    return new DeviceAttentionSession(spec, attention, zeros);
  }

  /**
   * One layer's keys, or values: zeros, fp32 [1, kv heads, `capacity`, head_dim]. To be released before this is closed.
   */
  allocateCache(capacity: number): Promise<DeviceTensor> {
    return this.#allocate([1, this.#spec.numKvHeads, capacity, this.#spec.headDim]);
  }

  /**
   * Answers of `numRows` rows: fp32 [1, 1, rows, heads * head_dim], to be used through views. To be released before
   * this is closed.
   */
  allocateContext(numRows: number): Promise<DeviceTensor> {
    return this.#allocate([1, 1, numRows, this.#spec.numHeads * this.#spec.headDim]);
  }

  async #allocate(dims: readonly number[]): Promise<DeviceTensor> {
    const shape = BigInt64Array.from(dims, BigInt);
    const outputs = await this.#zeros.run({
      zero: { type: 'float32', dims: [1], data: Float32Array.of(0) },
      shape: { type: 'int64', dims: [4], data: shape },
    });
    return outputs.device('zeros');
  }

  /** The output `context` is fp32 [rows before and rows, heads * head_dim], unless it went elsewhere. */
  attend(rows: AttendingRows): Promise<OnnxOutputs> {
    const { q, k, v, firstRow, endRow, keys, values, numTokens, contextBefore, contextInto } = rows;
    return this.#attention.run(
      {
        q,
        k,
        v,
        first_row: int64(firstRow),
        end_row: int64(endRow),
        past_key: keys,
        past_value: values,
        last_position: int32(numTokens - 1),
        num_tokens: int32(numTokens),
        context_before: contextBefore,
      },
      { present_key: keys, present_value: values, ...(contextInto && { context: contextInto }) },
    );
  }

  async close(): Promise<void> {
    await this.#attention.release();
    await this.#zeros.release();
  }
}

export function noContext({ numHeads, headDim }: ModelSpec): OnnxTensor {
  return {
    type: 'float32',
    dims: [0, numHeads * headDim],
    data: new Float32Array(),
  };
}

const int32 = (value: number): OnnxTensor => ({ type: 'int32', dims: [1], data: Int32Array.of(value) });

const int64 = (value: number): OnnxTensor => ({ type: 'int64', dims: [1], data: BigInt64Array.of(BigInt(value)) });
