import { type DeviceTensor } from '@expertmesh/shared/onnx/device-tensor';
import { type OnnxOutputs, type OnnxTensor } from '@expertmesh/shared/onnx/session';
import { type SequenceRows } from './dense-runner.js';
import { type SequenceCache } from '../kv/sequence-cache.js';

/** The attention of OnnxDenseRunner, and with it the place of the KV cache: this process, or the memory of a GPU. */
export interface OnnxAttention {
  /** Outputs of the QKV graph that it wants left on the device. */
  readonly deviceInputs: readonly string[];
  createCache(maxTokens: number): SequenceCache;
  begin(sequences: readonly SequenceRows[]): StepAttention;
  close(): Promise<void>;
}

/** Attention of a step's rows, each over its own sequence's cache. */
export interface StepAttention {
  /**
   * Writes keys and values of the rows to the caches, and reads what they hold.
   *
   * @param qkv outputs of the QKV graph; those on the device are released.
   */
  run(layerIndex: number, qkv: OnnxOutputs): Promise<StepContext>;
}

/** The answers for a step's rows. */
export interface StepContext {
  /** fp32 [rows, heads * head_dim] */
  readonly tensor: OnnxTensor | DeviceTensor;
  /** To be called when the tensor is not needed any more. */
  release(): void;
}
