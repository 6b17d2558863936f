/**
 * 16-bit floats to and from fp32, on whole arrays. Rounding is to nearest, ties to even; subnormals, infinities and NaN
 * are kept (a NaN stays a NaN, made quiet). BF16 is the upper half of an fp32; fp16 is IEEE 754 binary16. What is a
 * normal number in both formats is converted by shifts: tables would be out of the caches by the time of the next row,
 * behind an expert's weights.
 */

const INFINITY_BITS = 0x7f80_0000;
const MAGNITUDE_MASK = 0x7fff_ffff;
const MANTISSA_MASK = 0x7f_ffff;
const IMPLICIT_BIT = 0x80_0000;
/** fp32 bits of the smallest normal fp16, 2^-14, and how many fp32 there are from it to 2^16, behind the largest. */
const FP16_NORMAL_START = 0x3880_0000;
const FP16_NORMAL_RANGE = 0x0f00_0000;
/** The same in fp16 bits. */
const NORMAL_START = 0x400;
const NORMAL_RANGE = 0x7800;
/** Difference of the exponents' biases, 127 - 15, where an fp32 has its exponent. */
const REBIAS = 112 << 23;

/** fp32 values of BF16 bits; `dst` has at least the length of `src`. */
export function decodeBf16(src: Uint16Array, dst: Float32Array): void {
  const bits = bitsOf(dst, src.length);
  for (let i = 0; i < src.length; i++) bits[i] = (src[i] ?? 0) << 16;
}

/** BF16 bits of fp32 values; `dst` has at least the length of `src`. */
export function encodeBf16(src: Float32Array, dst: Uint16Array): void {
  const bits = bitsOf(src, src.length);
  requireRoom(dst.length, src.length);
  for (let i = 0; i < bits.length; i++) {
    const value = bits[i] ?? 0;
    dst[i] =
      (value & MAGNITUDE_MASK) > INFINITY_BITS ? (value >>> 16) | 0x40 : (value + 0x7fff + ((value >>> 16) & 1)) >>> 16;
  }
}

/** fp32 values of fp16 bits; `dst` has at least the length of `src`. */
export function decodeFp16(src: Uint16Array, dst: Float32Array): void {
  const bits = bitsOf(dst, src.length);
  for (let i = 0; i < src.length; i++) {
    const half = src[i] ?? 0;
    const magnitude = half & 0x7fff;
    const isNormal = (magnitude - NORMAL_START) >>> 0 < NORMAL_RANGE;
    bits[i] = isNormal ? ((half & 0x8000) << 16) | ((magnitude << 13) + REBIAS) : fp32BitsOfSpecial(half);
  }
}

/** fp16 bits of fp32 values; `dst` has at least the length of `src`. Beyond 65,520 a value becomes infinite. */
export function encodeFp16(src: Float32Array, dst: Uint16Array): void {
  const bits = bitsOf(src, src.length);
  requireRoom(dst.length, src.length);
  for (let i = 0; i < bits.length; i++) {
    const value = bits[i] ?? 0;
    const magnitude = value & MAGNITUDE_MASK;
    const isNormal = (magnitude - FP16_NORMAL_START) >>> 0 < FP16_NORMAL_RANGE;
    // A carry out of the mantissa goes into the exponent, which is what rounding up means.
    const rounded = isNormal
      ? (magnitude - REBIAS + 0xfff + ((magnitude >>> 13) & 1)) >>> 13
      : fp16OfSpecial(magnitude);
    dst[i] = ((value >>> 16) & 0x8000) | rounded;
  }
}

/** The bits of the first `length` values. */
function bitsOf(values: Float32Array, length: number): Uint32Array {
  requireRoom(values.length, length);
  return new Uint32Array(values.buffer, values.byteOffset, length);
}

function requireRoom(roomLength: number, length: number): void {
  if (roomLength < length) throw new RangeError(`${String(length)} values do not fit in ${String(roomLength)}`);
}

/** fp32 bits of an fp16 that is zero, subnormal, infinite or NaN. */
function fp32BitsOfSpecial(half: number): number {
  const sign = (half & 0x8000) << 16;
  const mantissa = half & 0x3ff;
  if ((half & 0x7c00) !== 0) return sign | INFINITY_BITS | (mantissa << 13);
  if (mantissa === 0) return sign;
  // Its first bit becomes the implicit one.
  const shift = Math.clz32(mantissa) - 8;
  return sign | ((126 - shift) << 23) | ((mantissa << shift) & MANTISSA_MASK);
}

/** fp16 magnitude of an fp32 magnitude whose fp16 is not normal: too small, too large, or NaN. */
function fp16OfSpecial(magnitude: number): number {
  if (magnitude > INFINITY_BITS) return 0x7e00 | ((magnitude >>> 13) & 0x3ff);
  if (magnitude >= FP16_NORMAL_START) return 0x7c00;
  // Half of the smallest subnormal, 2^-25, and below: zero, for ties go to even.
  const shift = 126 - (magnitude >>> 23);
  if (shift > 24) return 0;
  const mantissa = (magnitude & MANTISSA_MASK) | IMPLICIT_BIT;
  return (mantissa + (1 << (shift - 1)) - 1 + ((mantissa >>> shift) & 1)) >>> shift;
}
