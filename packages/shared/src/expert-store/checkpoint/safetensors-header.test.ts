import { describe, expect, it } from 'vitest';
import { parseSafetensorsHeader, requireHeaderLength } from './safetensors-header.js';

const FILE = '/models/model.safetensors';

/** Parses a header as if the file went on for `dataBytes` after it. */
function parse(header: unknown, dataBytes: number): ReturnType<typeof parseSafetensorsHeader> {
  const bytes = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  return parseSafetensorsHeader(FILE, bytes, 8 + bytes.byteLength + dataBytes);
}

const tensor = (dtype: string, shape: number[], begin: number, end: number): object => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

describe('parseSafetensorsHeader', () => {
  it('finds tensors wherever the header lists them, and leaves the metadata out', () => {
    const header = {
      __metadata__: { format: 'pt' },
      b: tensor('F32', [2, 3], 8, 32),
      a: tensor('BF16', [4], 0, 8),
      scalar: tensor('F16', [], 32, 34),
    };
    const dataStartBytes = 8 + JSON.stringify(header).length;
    expect(parse(header, 34)).toEqual([
      { name: 'b', dtype: 'F32', shape: [2, 3], file: FILE, offsetBytes: dataStartBytes + 8, sizeBytes: 24 },
      { name: 'a', dtype: 'BF16', shape: [4], file: FILE, offsetBytes: dataStartBytes, sizeBytes: 8 },
      { name: 'scalar', dtype: 'F16', shape: [], file: FILE, offsetBytes: dataStartBytes + 32, sizeBytes: 2 },
    ]);
  });

  it.each([
    ['a truncated file', { a: tensor('F32', [4], 0, 16) }, 15, 'truncated: a ends at byte'],
    ['overlapping tensors', { a: tensor('F32', [4], 0, 16), b: tensor('F32', [1], 12, 16) }, 16, 'b overlaps'],
    [
      'a gap',
      { a: tensor('F32', [1], 0, 4), b: tensor('F32', [1], 8, 12) },
      12,
      '4 bytes before b belong to no tensor',
    ],
    ['a tail', { a: tensor('F32', [1], 0, 4) }, 6, '2 bytes after the last tensor'],
    ['a shape of another size', { a: tensor('BF16', [3], 0, 8) }, 8, 'a occupies 8 bytes, but BF16 [3] needs 6'],
    ['offsets that go back', { a: tensor('BF16', [4], 8, 0) }, 8, 'a occupies -8 bytes'],
    ['negative offsets', { a: tensor('BF16', [4], -8, 0) }, 8, 'not one of safetensors (a.data_offsets.0'],
    ['a fractional shape', { a: tensor('BF16', [0.5], 0, 1) }, 1, 'not one of safetensors (a.shape.0'],
    ['a header that is no object', '[]', 0, 'not one of safetensors'],
    ['a header that is no JSON', '{"a":', 0, 'is not JSON'],
  ])('refuses %s', (_, header, dataBytes, message) => {
    expect(() => parse(header, dataBytes)).toThrow(message);
  });

  it.each(['I64', 'F8_E4M3', 'U8', 'toString'])('refuses the dtype %s by name', (dtype) => {
    expect(() => parse({ a: tensor(dtype, [8], 0, 8) }, 8)).toThrow(
      `a in ${FILE} has dtype ${dtype}, which cannot be packed`,
    );
  });
});

describe('requireHeaderLength', () => {
  it('refuses a length beyond the format or the file', () => {
    expect(requireHeaderLength(FILE, 92n, 100)).toBe(92);
    expect(() => requireHeaderLength(FILE, 93n, 100)).toThrow('claims 93 bytes, the file has 100');
    expect(() => requireHeaderLength(FILE, 2n ** 63n, 2 ** 50)).toThrow('the limit is 100000000');
  });
});
