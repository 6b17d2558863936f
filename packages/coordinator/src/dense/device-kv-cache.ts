import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { type DeviceTensor } from '@expertmesh/shared/onnx/device-tensor';
import { kvCacheCapacity } from '../kv/kv-cache.js';
import { type SequenceCache } from '../kv/sequence-cache.js';

/** Keys and values of a layer, each fp32 [1, kv heads, capacity, head_dim]. */
export interface DeviceLayerCache {
  readonly keys: DeviceTensor;
  readonly values: DeviceTensor;
}

/** Makes a tensor of zeros on the device, fp32 [1, kv heads, `capacity`, head_dim]. */
export type AllocateOnDevice = (capacity: number) => Promise<DeviceTensor>;

/**
 * Keys and values of one sequence in the memory of a GPU. Each layer takes all that the sequence can need at its first
 * use, as much as the engine has set aside for it: growing would leave ONNX Runtime's pool full of smaller pieces,
 * which it never gives back.
 */
export class DeviceKvCache implements SequenceCache {
  readonly capacity: number;
  readonly #allocate: AllocateOnDevice;
  readonly #layers: (DeviceLayerCache | undefined)[];
  #length = 0;

  constructor({ numLayers }: ModelSpec, maxTokens: number, allocate: AllocateOnDevice) {
    this.capacity = kvCacheCapacity(maxTokens);
    this.#allocate = allocate;
    this.#layers = Array.from({ length: numLayers }, () => undefined);
  }

  get length(): number {
    return this.#length;
  }

  async layer(layerIndex: number): Promise<DeviceLayerCache> {
    return (this.#layers[layerIndex] ??= await this.#allocateLayer());
  }

  reserve(numTokens: number): void {
    const needed = this.#length + numTokens;
    if (needed > this.capacity)
      throw new ExpertmeshError(
        'internal',
        `a sequence of ${String(needed)} tokens has a KV cache for ${String(this.capacity)}`,
      );
  }

  advance(numTokens: number): void {
    this.#length += numTokens;
  }

  truncate(length: number): void {
    this.#length = Math.min(this.#length, length);
  }

  release(): void {
    for (const layer of this.#layers.splice(0)) {
      layer?.keys.release();
      layer?.values.release();
    }
  }

  async #allocateLayer(): Promise<DeviceLayerCache> {
    const keys = await this.#allocate(this.capacity);
    try {
      return { keys, values: await this.#allocate(this.capacity) };
    } catch (error) {
      keys.release();
      throw error;
    }
  }
}

/** The cache as tensors of the device. A cache belongs to the runner that made it. */
export function deviceCache(cache: SequenceCache): DeviceKvCache {
  if (cache instanceof DeviceKvCache) return cache;
  throw new ExpertmeshError('internal', 'the KV cache of a sequence is not in the memory of the GPU');
}
