#pragma once
#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace expertmesh {

/// 256-bit vectors; with kVnni the byte products are one instruction (AVX-VNNI), else three.
template <bool kVnni>
struct Avx2 {
  using Bytes = __m256i;
  using Ints = __m256i;
  using Floats = __m256;
  static constexpr size_t kBytes = 32;
  static constexpr size_t kLanes = 8;
  /// Without VNNI, dotBytes makes the weights signed itself, since unsigned ones would saturate.
  static constexpr int kByteZeroPoint = kVnni ? 128 : 0;
  static constexpr size_t kDotRows = 1;
  static constexpr size_t kTileVectors = 2;
  static constexpr size_t kTileColumns = 4;
  static constexpr size_t kTileMinActivations = 8;

  static Bytes loadBytes(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static Bytes loadBytesPartial(const void* p, size_t n) {
    alignas(32) uint8_t padded[32] = {};
    std::memcpy(padded, p, n < 32 ? n : 32);
    return loadBytes(padded);
  }
  static Bytes broadcastDword(const void* p) {
    int32_t value;
    std::memcpy(&value, p, 4);
    return _mm256_set1_epi32(value);
  }
  static Bytes lowNibbles(Bytes b) { return _mm256_and_si256(b, _mm256_set1_epi8(15)); }
  static Bytes highNibbles(Bytes b) { return _mm256_and_si256(_mm256_srli_epi16(b, 4), _mm256_set1_epi8(15)); }
  /// Without VNNI, sums of 16 bits: each dot adds two products of at most 15 x 128 to a lane.
  using NibbleSums = __m256i;
  static constexpr size_t kMaxNibbleDots = kVnni ? SIZE_MAX : 32767 / (2 * 15 * 128);
  static NibbleSums beginNibbles(Ints ints) { return kVnni ? ints : _mm256_setzero_si256(); }
  static Ints endNibbles(Ints ints, NibbleSums sums) { return kVnni ? sums : addPairs(ints, sums); }
  static NibbleSums dotNibbles(NibbleSums acc, Bytes w, Bytes x) {
    if constexpr (kVnni) return dotUnsigned(acc, w, x);
    return _mm256_add_epi16(acc, _mm256_maddubs_epi16(w, x));
  }
  static Ints dotBytes(Ints acc, Bytes w, Bytes x) {
    if constexpr (kVnni) return dotUnsigned(acc, w, x);
    // |weight| <= 128 and |activation| <= 127, so that two products stay below the 32,767 at which maddubs saturates.
    const Bytes centred = _mm256_xor_si256(w, _mm256_set1_epi8(-128));
    return addPairs(acc, _mm256_maddubs_epi16(_mm256_abs_epi8(centred), _mm256_sign_epi8(x, centred)));
  }

  static Ints loadInts(const int32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static Ints broadcastInt(int32_t value) { return _mm256_set1_epi32(value); }
  static Ints add(Ints a, Ints b) { return _mm256_add_epi32(a, b); }
  static Floats toFloats(Ints v) { return _mm256_cvtepi32_ps(v); }
  static Ints roundToInts(Floats v) { return _mm256_cvtps_epi32(v); }
  static void storeInt8(int8_t* p, Ints v) {
    const __m128i shorts = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(shorts, shorts));
  }
  static Floats loadInt8(const int8_t* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
  }
  static Floats loadFp16(const uint16_t* p) { return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
  static void storeFp16(uint16_t* p, Floats v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
  }
  /// The larger of the bit patterns, which orders magnitudes and puts NaN above all of them.
  static Ints maxMagnitude(Ints acc, Floats v) {
    return _mm256_max_epi32(acc, _mm256_and_si256(_mm256_castps_si256(v), _mm256_set1_epi32(0x7fffffff)));
  }
  static int32_t reduceMax(Ints v) {
    __m128i half = _mm_max_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0xb1));
    return _mm_cvtsi128_si32(half);
  }
  static Floats powerOfTwo(Ints exponent) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(exponent, _mm256_set1_epi32(127)), 23));
  }

  static Floats zero() { return _mm256_setzero_ps(); }
  static Floats broadcast(float value) { return _mm256_set1_ps(value); }
  static Floats load(const float* p) { return _mm256_loadu_ps(p); }
  static Floats loadPartial(const float* p, size_t n) { return _mm256_maskload_ps(p, mask(n)); }
  static void store(float* p, Floats v) { _mm256_storeu_ps(p, v); }
  static void storePartial(float* p, Floats v, size_t n) { _mm256_maskstore_ps(p, mask(n), v); }
  static Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
  static Floats sub(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
  static Floats mul(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
  static Floats div(Floats a, Floats b) { return _mm256_div_ps(a, b); }
  static Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
  /// b where either is NaN.
  static Floats max(Floats a, Floats b) { return _mm256_max_ps(a, b); }
  static Floats min(Floats a, Floats b) { return _mm256_min_ps(a, b); }
  static float reduceAdd(Floats v) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
  }
  static float reduceMax(Floats v) {
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
  }

  /// Each of kBlocks consecutive floats, repeated over its share of the lanes.
  template <size_t kBlocks>
  static Floats spread(const float* p) {
    static_assert(kBlocks == 1 || kBlocks == 2, "a vector of nibbles holds 64 elements");
    if constexpr (kBlocks == 1) return _mm256_broadcast_ss(p);
    return _mm256_set_m128(_mm_broadcast_ss(p + 1), _mm_broadcast_ss(p));
  }
  /// The sums of neighbouring lanes in each 128 bits: two of a, two of b. kFit16: no lane is beyond 16 bits.
  template <bool kFit16>
  static Ints addPairs(Ints a, Ints b) {
    if constexpr (kFit16) return _mm256_madd_epi16(_mm256_packs_epi32(a, b), _mm256_set1_epi16(1));
    return _mm256_hadd_epi32(a, b);
  }
  /// Of four rows in each 128 bits of two vectors, a vector of 8 rows for each block of which they hold the sums.
  template <size_t kBlocks>
  static void joinQuads(const Ints (&quads)[2], Ints (&blocks)[kBlocks]) {
    static_assert(kBlocks == 1 || kBlocks == 2, "a vector of nibbles holds 64 elements");
    const Ints low = _mm256_permute2x128_si256(quads[0], quads[1], 0x20), high = _mm256_permute2x128_si256(quads[0], quads[1], 0x31);
    if constexpr (kBlocks == 1) blocks[0] = add(low, high);
    else {
      blocks[0] = low;
      blocks[1] = high;
    }
  }

  static Floats asFloats(Bytes b) { return _mm256_castsi256_ps(b); }
  static void storeBytes(void* p, Floats v) { _mm256_storeu_ps(static_cast<float*>(p), v); }
  /// rows[i] lane j becomes rows[j] lane i, for any 32-bit contents.
  static void transpose(Floats (&rows)[8]) {
    Floats pairs[8];
    for (int i = 0; i < 8; i += 2) {
      pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
      pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
    }
    Floats quads[8];
    for (int i = 0; i < 8; i += 4) {
      quads[i] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0x44);
      quads[i + 1] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0xee);
      quads[i + 2] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0x44);
      quads[i + 3] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0xee);
    }
    for (int column = 0; column < 4; ++column) {
      rows[column] = _mm256_permute2f128_ps(quads[column], quads[4 + column], 0x20);
      rows[column + 4] = _mm256_permute2f128_ps(quads[column], quads[4 + column], 0x31);
    }
  }
  static void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

 private:
  static __m256i mask(size_t n) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lane);
  }
  static Ints addPairs(Ints acc, __m256i shorts) {
    return _mm256_add_epi32(acc, _mm256_madd_epi16(shorts, _mm256_set1_epi16(1)));
  }
  static Ints dotUnsigned(Ints acc, Bytes w, Bytes x) {
#ifdef __AVXVNNI__
    return _mm256_dpbusd_avx_epi32(acc, w, x);
#else
    static_assert(!kVnni, "compile with -mavxvnni");
    return acc;
#endif
  }
};

}  // namespace expertmesh
