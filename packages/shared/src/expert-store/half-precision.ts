/**
 * 16-bit floats to and from fp32, on whole arrays. Rounding is to nearest, ties to even; subnormals, infinities and NaN
 * are kept (a NaN stays a NaN, made quiet). BF16 is the upper half of an fp32; fp16 is IEEE 754 binary16, converted through
 * tables indexed by sign and exponent (after van der Zijp, "Fast Half Float Conversions", with rounding added).
 */

const INFINITY_BITS = 0x7f80_0000;
const MAGNITUDE_MASK = 0x7fff_ffff;
const MANTISSA_MASK = 0x7f_ffff;
const IMPLICIT_BIT = 0x80_0000;

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
  for (let i = 0; i < src.length; i++) bits[i] = FP32_BITS_OF_FP16[src[i] ?? 0] ?? 0;
}

/** fp16 bits of fp32 values; `dst` has at least the length of `src`. Beyond 65,520 a value becomes infinite. */
export function encodeFp16(src: Float32Array, dst: Uint16Array): void {
  const bits = bitsOf(src, src.length);
  requireRoom(dst.length, src.length);
  for (let i = 0; i < bits.length; i++) {
    const value = bits[i] ?? 0;
    if ((value & MAGNITUDE_MASK) > INFINITY_BITS) {
      dst[i] = ((value >>> 16) & 0x8000) | 0x7e00 | ((value >>> 13) & 0x3ff);
      continue;
    }
    const signAndExponent = value >>> 23;
    const shift = FP16_SHIFT[signAndExponent] ?? 0;
    const mantissa = (value & MANTISSA_MASK) | (FP16_IMPLICIT[signAndExponent] ?? 0);
    const roundUp = (1 << (shift - 1)) - 1 + ((mantissa >>> shift) & 1);
    // A carry out of the mantissa goes into the exponent, which is what rounding up means.
    dst[i] = (FP16_BASE[signAndExponent] ?? 0) + ((mantissa + roundUp) >>> shift);
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

const FP32_BITS_OF_FP16 = Uint32Array.from({ length: 65_536 }, (_, half) => fp32BitsOfFp16(half));

function fp32BitsOfFp16(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  if (exponent === 0x1f) return (sign | INFINITY_BITS | (mantissa << 13)) >>> 0;
  if (exponent !== 0) return (sign | ((exponent + 112) << 23) | (mantissa << 13)) >>> 0;
  const magnitude = new Uint32Array(Float32Array.of(mantissa * 2 ** -24).buffer)[0] ?? 0;
  return (sign | magnitude) >>> 0;
}

// By sign and exponent of an fp32: the fp16 to start from, the bit that the mantissa leaves out, and how far the mantissa is
// shifted. A shift of 24 without the implicit bit gives 0: too small for fp16, or infinite.
const FP16_BASE = new Uint16Array(512);
const FP16_IMPLICIT = new Uint32Array(512);
const FP16_SHIFT = new Uint8Array(512).fill(24);

for (let biased = 0; biased < 256; biased++) {
  const exponent = biased - 127;
  const isSubnormal = exponent >= -25 && exponent < -14;
  const isNormal = exponent >= -14 && exponent <= 15;
  for (const index of [biased, biased | 0x100]) {
    const sign = index >= 256 ? 0x8000 : 0;
    FP16_BASE[index] = sign | (exponent > 15 ? 0x7c00 : isNormal ? (exponent + 15) << 10 : 0);
    if (isSubnormal) FP16_IMPLICIT[index] = IMPLICIT_BIT;
    if (isSubnormal) FP16_SHIFT[index] = -exponent - 1;
    if (isNormal) FP16_SHIFT[index] = 13;
  }
}
