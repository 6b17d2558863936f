import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseModelSpec } from '@expertmesh/shared/model/model-spec';
import { PRESET_CONFIGS } from '@expertmesh/shared/expert-store/synth/presets';
import { describe, expect, it } from 'vitest';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { ggufHeader, sizeOfTensor, writeGguf, type GgufTensor } from './gguf-file.js';
import { qwen3MoeTensors, writeQwen3MoeGguf } from './qwen3-moe-gguf.js';

const TENSORS: GgufTensor[] = [
  { name: 'a', type: 'F32', shape: [3] },
  { name: 'b', type: 'Q4_0', shape: [64, 2] },
];

describe('ggufHeader', () => {
  it('is laid out as version 3 of the format says', () => {
    const header = ggufHeader({ key: { type: 'uint32', value: 7 } }, TENSORS);
    let at = 0;
    const uint32 = (): number => header.readUInt32LE((at += 4) - 4);
    const uint64 = (): number => Number(header.readBigUInt64LE((at += 8) - 8));
    const text = (): string => {
      const length = uint64();
      return header.toString('utf8', at, (at += length));
    };
    expect(header.toString('latin1', 0, (at += 4))).toBe('GGUF');
    expect([uint32(), uint64(), uint64()]).toEqual([3, 2, 1]);
    expect([text(), uint32(), uint32()]).toEqual(['key', 4, 7]);
    expect([text(), uint32(), uint64(), uint32(), uint64()]).toEqual(['a', 1, 3, 0, 0]);
    // The 12 bytes of the first tensor are padded to 32.
    expect([text(), uint32(), uint64(), uint64(), uint32(), uint64()]).toEqual(['b', 2, 64, 2, 2, 32]);
    expect(header.byteLength).toBe(Math.ceil(at / 32) * 32);
  });

  it('writes arrays with the type and the number of their elements', () => {
    const header = ggufHeader({ k: { type: 'string-array', value: ['ab', 'c'] } }, []);
    const value = header.subarray(4 + 4 + 8 + 8 + 8 + 1);
    expect([value.readUInt32LE(0), value.readUInt32LE(4), Number(value.readBigUInt64LE(8))]).toEqual([9, 8, 2]);
    expect([Number(value.readBigUInt64LE(16)), value.toString('utf8', 24, 26)]).toEqual([2, 'ab']);
  });
});

it('stores 32 weights of Q4_0 in 18 bytes, and refuses rows that are not whole blocks', () => {
  expect(TENSORS.map(sizeOfTensor)).toEqual([12, 72]);
  expect(() => sizeOfTensor({ name: 'c', type: 'Q4_0', shape: [48, 2] })).toThrow('rows of 48 weights');
});

it('writes a file of the announced size, or none at all', () => {
  const dir = tempDir();
  const write = (bytesOfA: number): void => {
    writeGguf(join(dir, 'x.gguf'), {}, TENSORS, ({ name }) => [Buffer.alloc(name === 'a' ? bytesOfA : 72, 5)]);
  };
  expect(() => {
    write(11);
  }).toThrow('a: 11 bytes instead of 12');
  expect(readdirSync(dir)).toEqual([]);
  write(12);
  expect(readFileSync(join(dir, 'x.gguf')).byteLength).toBe(ggufHeader({}, TENSORS).byteLength + 32 + 96);
});

it('writes every tensor of a model, each finite', () => {
  const file = join(tempDir(), 'demo.gguf');
  writeQwen3MoeGguf(file, 'demo', 1);
  const tensors = qwen3MoeTensors(parseModelSpec({ ...PRESET_CONFIGS.demo, num_hidden_layers: 1 }));
  const bytes = readFileSync(file);
  expect(tensors).toHaveLength(3 + 12);
  const dataBytes = tensors.reduce((sum, tensor) => sum + Math.ceil(sizeOfTensor(tensor) / 32) * 32, 0);
  const embedding = bytes.subarray(bytes.byteLength - dataBytes);
  const scales = new Set(Array.from({ length: 1000 }, (_, block) => embedding.readUInt16LE(block * 18)));
  // All blocks have the same scale, a positive fp16 number: exponent not all ones.
  expect(scales.size).toBe(1);
  expect([...scales].every((bits) => bits > 0 && bits < 0x7c00)).toBe(true);
});
