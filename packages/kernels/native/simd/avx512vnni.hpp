#pragma once
#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace expertmesh {

/// 512-bit vectors with VNNI: dpbusd multiplies 64 unsigned weights by 64 signed activations in one instruction.
struct Avx512Vnni {
  using Bytes = __m512i;
  using Ints = __m512i;
  using Floats = __m512;
  static constexpr size_t kBytes = 64;
  static constexpr size_t kLanes = 16;
  /// What dotBytes leaves to be subtracted: 8-bit weights enter the product as they are stored.
  static constexpr int kByteZeroPoint = 128;
  static constexpr size_t kDotRows = 1;
  static constexpr size_t kTileVectors = 2;
  static constexpr size_t kTileColumns = 6;
  /// From this many activation rows on, transposing the weights costs less than it saves.
  static constexpr size_t kTileMinActivations = 6;

  static Bytes loadBytes(const void* p) { return _mm512_loadu_si512(p); }
  static Bytes loadBytesPartial(const void* p, size_t n) {
    return _mm512_maskz_loadu_epi8(n >= 64 ? ~0ull : (1ull << n) - 1, p);
  }
  static Bytes broadcastDword(const void* p) {
    int32_t value;
    std::memcpy(&value, p, 4);
    return _mm512_set1_epi32(value);
  }
  static Bytes lowNibbles(Bytes b) { return _mm512_and_si512(b, _mm512_set1_epi8(15)); }
  static Bytes highNibbles(Bytes b) { return _mm512_and_si512(_mm512_srli_epi16(b, 4), _mm512_set1_epi8(15)); }
  /// One instruction adds to 32 bits, so that there is nothing narrower to sum in.
  using NibbleSums = Ints;
  static constexpr size_t kMaxNibbleDots = SIZE_MAX;
  static NibbleSums beginNibbles(Ints ints) { return ints; }
  static Ints endNibbles(Ints, NibbleSums sums) { return sums; }
  static Ints dotNibbles(Ints acc, Bytes w, Bytes x) { return _mm512_dpbusd_epi32(acc, w, x); }
  static Ints dotBytes(Ints acc, Bytes w, Bytes x) { return _mm512_dpbusd_epi32(acc, w, x); }

  static Ints loadInts(const int32_t* p) { return _mm512_loadu_si512(p); }
  static Ints broadcastInt(int32_t value) { return _mm512_set1_epi32(value); }
  static Ints add(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
  static Floats toFloats(Ints v) { return _mm512_cvtepi32_ps(v); }
  static Ints roundToInts(Floats v) { return _mm512_cvtps_epi32(v); }
  static void storeInt8(int8_t* p, Ints v) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(v)); }
  static Floats loadInt8(const int8_t* p) { return fromInt8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
  static Floats loadFp16(const uint16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static void storeFp16(uint16_t* p, Floats v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
  }
  /// Half a vector from each.
  static Floats loadHalves(const float* low, const float* high) {
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(low)), _mm256_loadu_ps(high), 1);
  }
  static Floats loadHalves(const uint16_t* low, const uint16_t* high) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(high));
    const __m256i lower = _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(low)));
    return _mm512_cvtph_ps(_mm256_inserti128_si256(lower, half, 1));
  }
  static Floats loadHalves(const int8_t* low, const int8_t* high) {
    const __m128i upper = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(high));
    return fromInt8(_mm_unpacklo_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(low)), upper));
  }
  /// The larger of the bit patterns, which orders magnitudes and puts NaN above all of them.
  static Ints maxMagnitude(Ints acc, Floats v) {
    return _mm512_max_epi32(acc, _mm512_and_si512(_mm512_castps_si512(v), _mm512_set1_epi32(0x7fffffff)));
  }
  static int32_t reduceMax(Ints v) { return _mm512_reduce_max_epi32(v); }
  static Floats powerOfTwo(Ints exponent) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(exponent, _mm512_set1_epi32(127)), 23));
  }

  static Floats zero() { return _mm512_setzero_ps(); }
  static Floats broadcast(float value) { return _mm512_set1_ps(value); }
  static Floats load(const float* p) { return _mm512_loadu_ps(p); }
  static Floats loadPartial(const float* p, size_t n) { return _mm512_maskz_loadu_ps(mask(n), p); }
  static void store(float* p, Floats v) { _mm512_storeu_ps(p, v); }
  static void storePartial(float* p, Floats v, size_t n) { _mm512_mask_storeu_ps(p, mask(n), v); }
  static Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
  static Floats sub(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
  static Floats mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
  static Floats div(Floats a, Floats b) { return _mm512_div_ps(a, b); }
  static Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
  /// b where either is NaN.
  static Floats max(Floats a, Floats b) { return _mm512_max_ps(a, b); }
  static Floats min(Floats a, Floats b) { return _mm512_min_ps(a, b); }
  static float reduceAdd(Floats v) { return _mm512_reduce_add_ps(v); }
  static float reduceMax(Floats v) { return _mm512_reduce_max_ps(v); }

  /// Each of kBlocks consecutive floats, repeated over its share of the lanes.
  template <size_t kBlocks>
  static Floats spread(const float* p) {
    if constexpr (kBlocks == 1) return _mm512_set1_ps(*p);
    if constexpr (kBlocks == 2) {
      const __m512 pair = _mm512_castpd_ps(_mm512_set1_pd(loadDouble(p)));
      return _mm512_permutexvar_ps(_mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1), pair);
    }
    if constexpr (kBlocks == 4) {
      const __m512 four = _mm512_castps128_ps512(_mm_loadu_ps(p));
      return _mm512_permutexvar_ps(_mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3), four);
    }
  }
  /// The sums of neighbouring lanes in each 128 bits: two of a, two of b. kFit16: no lane is beyond 16 bits.
  template <bool kFit16>
  static Ints addPairs(Ints a, Ints b) {
    if constexpr (kFit16) return _mm512_madd_epi16(_mm512_packs_epi32(a, b), _mm512_set1_epi16(1));
    const __m512 x = _mm512_castsi512_ps(a), y = _mm512_castsi512_ps(b);
    return _mm512_add_epi32(_mm512_castps_si512(_mm512_shuffle_ps(x, y, 0x88)), _mm512_castps_si512(_mm512_shuffle_ps(x, y, 0xdd)));
  }
  /// Of four rows in each 128 bits of four vectors, a vector of 16 rows for each block of which they hold the sums.
  template <size_t kBlocks>
  static void joinQuads(const Ints (&quads)[4], Ints (&blocks)[kBlocks]) {
    if constexpr (kBlocks == 4) {
      const Ints low01 = _mm512_shuffle_i32x4(quads[0], quads[1], 0x44), high01 = _mm512_shuffle_i32x4(quads[0], quads[1], 0xee);
      const Ints low23 = _mm512_shuffle_i32x4(quads[2], quads[3], 0x44), high23 = _mm512_shuffle_i32x4(quads[2], quads[3], 0xee);
      blocks[0] = evenQuads(low01, low23);
      blocks[1] = oddQuads(low01, low23);
      blocks[2] = evenQuads(high01, high23);
      blocks[3] = oddQuads(high01, high23);
    } else {
      const Ints sum01 = add(evenQuads(quads[0], quads[1]), oddQuads(quads[0], quads[1]));
      const Ints sum23 = add(evenQuads(quads[2], quads[3]), oddQuads(quads[2], quads[3]));
      if constexpr (kBlocks == 1) blocks[0] = add(evenQuads(sum01, sum23), oddQuads(sum01, sum23));
      else {
        blocks[0] = evenQuads(sum01, sum23);
        blocks[1] = oddQuads(sum01, sum23);
      }
    }
  }

  static Floats asFloats(Bytes b) { return _mm512_castsi512_ps(b); }
  static void storeBytes(void* p, Floats v) { _mm512_storeu_ps(p, v); }
  /// rows[i] lane j becomes rows[j] lane i, for any 32-bit contents.
  static void transpose(Floats (&rows)[16]) {
    Floats pairs[16];
    for (int i = 0; i < 16; i += 2) {
      pairs[i] = _mm512_unpacklo_ps(rows[i], rows[i + 1]);
      pairs[i + 1] = _mm512_unpackhi_ps(rows[i], rows[i + 1]);
    }
    // Quads: within each 128-bit lane, one column of four rows.
    Floats quads[16];
    for (int i = 0; i < 16; i += 4) {
      quads[i] = unpackLow64(pairs[i], pairs[i + 2]);
      quads[i + 1] = unpackHigh64(pairs[i], pairs[i + 2]);
      quads[i + 2] = unpackLow64(pairs[i + 1], pairs[i + 3]);
      quads[i + 3] = unpackHigh64(pairs[i + 1], pairs[i + 3]);
    }
    for (int column = 0; column < 4; ++column) {
      const Floats even01 = _mm512_shuffle_f32x4(quads[column], quads[4 + column], 0x88);
      const Floats odd01 = _mm512_shuffle_f32x4(quads[column], quads[4 + column], 0xdd);
      const Floats even23 = _mm512_shuffle_f32x4(quads[8 + column], quads[12 + column], 0x88);
      const Floats odd23 = _mm512_shuffle_f32x4(quads[8 + column], quads[12 + column], 0xdd);
      rows[column] = _mm512_shuffle_f32x4(even01, even23, 0x88);
      rows[column + 8] = _mm512_shuffle_f32x4(even01, even23, 0xdd);
      rows[column + 4] = _mm512_shuffle_f32x4(odd01, odd23, 0x88);
      rows[column + 12] = _mm512_shuffle_f32x4(odd01, odd23, 0xdd);
    }
  }
  static void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

 private:
  /// The 128-bit quarters 0 and 2, or 1 and 3, of each.
  static Ints evenQuads(Ints a, Ints b) { return _mm512_shuffle_i32x4(a, b, 0x88); }
  static Ints oddQuads(Ints a, Ints b) { return _mm512_shuffle_i32x4(a, b, 0xdd); }
  static Floats fromInt8(__m128i bytes) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes)); }
  static __mmask16 mask(size_t n) { return n >= 16 ? 0xffff : static_cast<__mmask16>((1u << n) - 1); }
  static double loadDouble(const float* p) {
    double value;
    std::memcpy(&value, p, 8);
    return value;
  }
  static Floats unpackLow64(Floats a, Floats b) {
    return _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
  }
  static Floats unpackHigh64(Floats a, Floats b) {
    return _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
  }
};

}  // namespace expertmesh
