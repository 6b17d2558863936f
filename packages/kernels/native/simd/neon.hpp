#pragma once
#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace expertmesh {

/// 128-bit vectors of AArch64 with the dot-product extension (sdot: signed by signed bytes).
struct Neon {
  using Bytes = uint8x16_t;
  using Ints = int32x4_t;
  using Floats = float32x4_t;
  static constexpr size_t kBytes = 16;
  static constexpr size_t kLanes = 4;
  /// dotBytes makes the weights signed itself, as sdot wants them.
  static constexpr int kByteZeroPoint = 0;
  static constexpr size_t kDotRows = 4;
  static constexpr size_t kTileVectors = 2;
  static constexpr size_t kTileColumns = 6;
  static constexpr size_t kTileMinActivations = 6;

  static Bytes loadBytes(const void* p) { return vld1q_u8(static_cast<const uint8_t*>(p)); }
  static Bytes loadBytesPartial(const void* p, size_t n) {
    uint8_t padded[16] = {};
    std::memcpy(padded, p, n < 16 ? n : 16);
    return vld1q_u8(padded);
  }
  static Bytes broadcastDword(const void* p) {
    uint32_t value;
    std::memcpy(&value, p, 4);
    return vreinterpretq_u8_u32(vdupq_n_u32(value));
  }
  static Bytes lowNibbles(Bytes b) { return vandq_u8(b, vdupq_n_u8(15)); }
  static Bytes highNibbles(Bytes b) { return vshrq_n_u8(b, 4); }
  /// One instruction adds to 32 bits, so that there is nothing narrower to sum in.
  using NibbleSums = Ints;
  static constexpr size_t kMaxNibbleDots = SIZE_MAX;
  static NibbleSums beginNibbles(Ints ints) { return ints; }
  static Ints endNibbles(Ints, NibbleSums sums) { return sums; }
  static Ints dotNibbles(Ints acc, Bytes w, Bytes x) {
    return vdotq_s32(acc, vreinterpretq_s8_u8(w), vreinterpretq_s8_u8(x));
  }
  static Ints dotBytes(Ints acc, Bytes w, Bytes x) { return dotNibbles(acc, veorq_u8(w, vdupq_n_u8(128)), x); }

  static Ints loadInts(const int32_t* p) { return vld1q_s32(p); }
  static Ints broadcastInt(int32_t value) { return vdupq_n_s32(value); }
  static Ints add(Ints a, Ints b) { return vaddq_s32(a, b); }
  static Floats toFloats(Ints v) { return vcvtq_f32_s32(v); }
  static Ints roundToInts(Floats v) { return vcvtnq_s32_f32(v); }
  static void storeInt8(int8_t* p, Ints v) {
    const int16x4_t shorts = vqmovn_s32(v);
    const int8x8_t bytes = vqmovn_s16(vcombine_s16(shorts, shorts));
    const uint32_t four = vget_lane_u32(vreinterpret_u32_s8(bytes), 0);
    std::memcpy(p, &four, 4);
  }
  static Floats loadInt8(const int8_t* p) {
    uint32_t four;
    std::memcpy(&four, p, 4);
    const int16x8_t shorts = vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(four)));
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(shorts)));
  }
  static Floats loadFp16(const uint16_t* p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
  static void storeFp16(uint16_t* p, Floats v) { vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(v))); }
  /// The larger of the bit patterns, which orders magnitudes and puts NaN above all of them.
  static Ints maxMagnitude(Ints acc, Floats v) {
    return vmaxq_s32(acc, vandq_s32(vreinterpretq_s32_f32(v), vdupq_n_s32(0x7fffffff)));
  }
  static int32_t reduceMax(Ints v) { return vmaxvq_s32(v); }
  static Floats powerOfTwo(Ints exponent) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(exponent, vdupq_n_s32(127)), 23));
  }

  static Floats zero() { return vdupq_n_f32(0); }
  static Floats broadcast(float value) { return vdupq_n_f32(value); }
  static Floats load(const float* p) { return vld1q_f32(p); }
  static Floats loadPartial(const float* p, size_t n) {
    float padded[4] = {};
    std::memcpy(padded, p, (n < 4 ? n : 4) * sizeof(float));
    return vld1q_f32(padded);
  }
  static void store(float* p, Floats v) { vst1q_f32(p, v); }
  static void storePartial(float* p, Floats v, size_t n) {
    float padded[4];
    vst1q_f32(padded, v);
    std::memcpy(p, padded, (n < 4 ? n : 4) * sizeof(float));
  }
  static Floats add(Floats a, Floats b) { return vaddq_f32(a, b); }
  static Floats sub(Floats a, Floats b) { return vsubq_f32(a, b); }
  static Floats mul(Floats a, Floats b) { return vmulq_f32(a, b); }
  static Floats div(Floats a, Floats b) { return vdivq_f32(a, b); }
  static Floats fma(Floats a, Floats b, Floats c) { return vfmaq_f32(c, a, b); }
  static Floats max(Floats a, Floats b) { return vmaxq_f32(a, b); }
  static Floats min(Floats a, Floats b) { return vminq_f32(a, b); }
  static float reduceAdd(Floats v) { return vaddvq_f32(v); }
  static float reduceMax(Floats v) { return vmaxvq_f32(v); }

  /// Each of kBlocks consecutive floats, repeated over its share of the lanes.
  template <size_t kBlocks>
  static Floats spread(const float* p) {
    static_assert(kBlocks == 1, "a vector holds at most one block");
    return vld1q_dup_f32(p);
  }
  /// The sums of neighbouring lanes: two of a, two of b. kFit16: no lane is beyond 16 bits.
  template <bool kFit16>
  static Ints addPairs(Ints a, Ints b) {
    return vpaddq_s32(a, b);
  }
  /// Of four rows in a vector, the vector for each block.
  template <size_t kBlocks>
  static void joinQuads(const Ints (&quads)[1], Ints (&blocks)[kBlocks]) {
    static_assert(kBlocks == 1, "a vector holds at most one block");
    blocks[0] = quads[0];
  }

  static Floats asFloats(Bytes b) { return vreinterpretq_f32_u8(b); }
  static void storeBytes(void* p, Floats v) { vst1q_u8(static_cast<uint8_t*>(p), vreinterpretq_u8_f32(v)); }
  /// rows[i] lane j becomes rows[j] lane i, for any 32-bit contents.
  static void transpose(Floats (&rows)[4]) {
    const float32x4x2_t low = vtrnq_f32(rows[0], rows[1]);
    const float32x4x2_t high = vtrnq_f32(rows[2], rows[3]);
    rows[0] = vcombine_f32(vget_low_f32(low.val[0]), vget_low_f32(high.val[0]));
    rows[1] = vcombine_f32(vget_low_f32(low.val[1]), vget_low_f32(high.val[1]));
    rows[2] = vcombine_f32(vget_high_f32(low.val[0]), vget_high_f32(high.val[0]));
    rows[3] = vcombine_f32(vget_high_f32(low.val[1]), vget_high_f32(high.val[1]));
  }
  static void prefetch(const void* p) { __builtin_prefetch(p); }
};

}  // namespace expertmesh
