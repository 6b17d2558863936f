import { describe, expect, it } from 'vitest';
import { parseByteSize } from './byte-size.js';

describe('parseByteSize', () => {
  it.each([
    ['0', 0],
    ['1024', 1024],
    ['64B', 64],
    ['2 kib', 2048],
    ['512MiB', 512 * 2 ** 20],
    ['1.5GB', 1.5e9],
    ['2TiB', 2 ** 41],
  ])('reads %s', (text, sizeBytes) => {
    expect(parseByteSize(text)).toBe(sizeBytes);
  });

  it.each(['', '-1', 'GiB', '1 2', '8Gi', '1e9', 'Infinity', '9999TB'])('does not read %j', (text) => {
    expect(parseByteSize(text)).toBeUndefined();
  });
});
