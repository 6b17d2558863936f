import { describe, expect, it } from 'vitest';
import { PRESET_CONFIGS } from '@expertmesh/shared/expert-store/synth/presets';
import { parseModelSpec } from '@expertmesh/shared/model/model-spec';
import { DeviceTensor } from '@expertmesh/shared/onnx/device-tensor';
import { onnxRuntime } from '@expertmesh/shared/onnx/onnx-runtime';
import { deviceCache, DeviceKvCache } from './device-kv-cache.js';
import { hostCache, KvCache, kvCacheBytes } from '../kv/kv-cache.js';

const spec = parseModelSpec(PRESET_CONFIGS.demo);

/** Counts how many tensors are alive. */
class FakeDevice {
  numAllocated = 0;
  numReleased = 0;
  allocatedBytes = 0;
  maxTensors = Infinity;

  readonly allocate = (capacity: number): Promise<DeviceTensor> => {
    if (this.numAllocated === this.maxTensors) return Promise.reject(new Error('out of memory'));
    this.numAllocated += 1;
    this.allocatedBytes += capacity * spec.numKvHeads * spec.headDim * Float32Array.BYTES_PER_ELEMENT;
    const count = (): void => {
      this.numReleased += 1;
    };
    class CountedTensor extends DeviceTensor {
      override release(): void {
        count();
      }
    }
    return Promise.resolve(new CountedTensor(new (onnxRuntime().Tensor)('float32', new Float32Array(1), [1])));
  };
}

describe('DeviceKvCache', () => {
  it('takes exactly the memory that the engine sets aside for it, when layers are first used', async () => {
    const device = new FakeDevice();
    const cache = new DeviceKvCache(spec, 100, device.allocate);
    expect(device.allocatedBytes).toBe(0);
    for (let layerIndex = 0; layerIndex < spec.numLayers; layerIndex++) await cache.layer(layerIndex);
    expect(device.allocatedBytes).toBe(kvCacheBytes(spec, 100));
    expect(await cache.layer(0)).toBe(await cache.layer(0));
    expect(device.numAllocated).toBe(2 * spec.numLayers);
  });

  it('gives all of it back, once', async () => {
    const device = new FakeDevice();
    const cache = new DeviceKvCache(spec, 10, device.allocate);
    await cache.layer(1);
    cache.release();
    cache.release();
    expect(device.numReleased).toBe(2);
  });

  it('keeps no half of a layer when the device has no memory for the other', async () => {
    const device = new FakeDevice();
    device.maxTensors = 1;
    await expect(new DeviceKvCache(spec, 10, device.allocate).layer(0)).rejects.toThrow('out of memory');
    expect(device.numReleased).toBe(1);
  });

  it('forgets refused tokens by their number alone', () => {
    const cache = new DeviceKvCache(spec, 100, new FakeDevice().allocate);
    cache.reserve(100);
    cache.advance(9);
    cache.truncate(7);
    expect(cache.length).toBe(7);
    cache.truncate(8);
    expect(cache.length).toBe(7);
  });

  it('refuses more tokens than it was made for', () => {
    const cache = new DeviceKvCache(spec, 64, new FakeDevice().allocate);
    cache.advance(60);
    expect(() => {
      cache.reserve(5);
    }).toThrow('a sequence of 65 tokens has a KV cache for 64');
  });

  it('is not taken for a cache of this process, nor the other way round', () => {
    const onDevice = new DeviceKvCache(spec, 1, new FakeDevice().allocate);
    const onHost = new KvCache(spec, 1);
    expect(() => hostCache(onDevice)).toThrow('not in the memory of this process');
    expect(() => deviceCache(onHost)).toThrow('not in the memory of the GPU');
    expect(hostCache(onHost)).toBe(onHost);
    expect(deviceCache(onDevice)).toBe(onDevice);
  });
});
