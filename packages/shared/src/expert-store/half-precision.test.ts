import { describe, expect, it } from 'vitest';
import { decodeBf16, decodeFp16, encodeBf16, encodeFp16 } from './half-precision.js';

const ALL_HALVES = Uint16Array.from({ length: 65_536 }, (_, bits) => bits);

/** The value of fp16 bits, straight from the definition of binary16. */
function fp16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 0x1f) return mantissa === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

describe('fp16', () => {
  it('decodes every one of the 65,536 bit patterns', () => {
    const values = new Float32Array(65_536);
    decodeFp16(ALL_HALVES, values);
    const wrong = ALL_HALVES.filter((bits) => !Object.is(values[bits], fp16Value(bits)));
    expect([...wrong]).toEqual([]);
  });

  it('encodes every fp16 value back to its own bits, and every NaN to a NaN of the same sign', () => {
    const values = new Float32Array(65_536);
    decodeFp16(ALL_HALVES, values);
    const encoded = new Uint16Array(65_536);
    encodeFp16(values, encoded);
    const wrong = ALL_HALVES.filter((bits) =>
      Number.isNaN(fp16Value(bits)) ? encoded[bits] !== (bits | 0x200) : encoded[bits] !== bits,
    );
    expect([...wrong]).toEqual([]);
  });

  it('rounds to the nearest and ties to even, between every two neighbours', () => {
    const float32 = new Float32Array(1);
    const int32 = new Int32Array(float32.buffer);
    const encode = (value: number): number => {
      const encoded = new Uint16Array(1);
      encodeFp16(Float32Array.of(value), encoded);
      return encoded[0] ?? -1;
    };
    for (let bits = 0; bits < 0x7c00; bits++) {
      const upper = bits === 0x7bff ? 65_536 : fp16Value(bits + 1);
      const middle = (fp16Value(bits) + upper) / 2;
      float32[0] = middle;
      const middleBits = int32[0] ?? 0;
      int32[0] = middleBits - 1;
      const below = float32[0];
      int32[0] = middleBits + 1;
      const above = float32[0];
      const even = bits % 2 === 0 ? bits : bits + 1;
      const rounded = [below, middle, above, -middle].map(encode);
      if (rounded.join() !== [bits, even, bits + 1, even | 0x8000].join())
        expect.fail(`around ${String(middle)}: ${rounded.join()}`);
    }
  });

  it('makes what is too large infinite and what is too small a signed zero', () => {
    const encoded = new Uint16Array(6);
    encodeFp16(Float32Array.of(65_519, 65_520, 3e38, -Infinity, 2 ** -25, -1e-40), encoded);
    expect([...encoded]).toEqual([0x7bff, 0x7c00, 0x7c00, 0xfc00, 0, 0x8000]);
  });
});

describe('BF16', () => {
  it('keeps every one of the 65,536 bit patterns, NaN made quiet', () => {
    const values = new Float32Array(65_536);
    decodeBf16(ALL_HALVES, values);
    const encoded = new Uint16Array(65_536);
    encodeBf16(values, encoded);
    const isNaN = (bits: number): boolean => (bits & 0x7fff) > 0x7f80;
    expect([...ALL_HALVES.filter((bits) => encoded[bits] !== (isNaN(bits) ? bits | 0x40 : bits))]).toEqual([]);
    expect(values[0x3fc0]).toBe(1.5);
    expect(values[0xff80]).toBe(-Infinity);
  });

  it('rounds to the nearest and ties to even', () => {
    const src = new Float32Array(
      Uint32Array.of(0x3f80_7fff, 0x3f80_8000, 0x3f80_8001, 0x3f81_8000, 0xff7f_ffff).buffer,
    );
    const encoded = new Uint16Array(5);
    encodeBf16(src, encoded);
    expect([...encoded]).toEqual([0x3f80, 0x3f80, 0x3f81, 0x3f82, 0xff80]);
  });
});

it('refuses a destination that is too short', () => {
  expect(() => {
    decodeFp16(new Uint16Array(3), new Float32Array(2));
  }).toThrow('3 values do not fit in 2');
  expect(() => {
    encodeFp16(new Float32Array(3), new Uint16Array(2));
  }).toThrow('3 values do not fit in 2');
});
