#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace expertmesh {

/// Four lanes in plain C++, for every CPU that has none of the instruction sets above it, and as the reference for them.
struct Portable {
  struct Bytes {
    uint8_t v[16];
  };
  struct Ints {
    int32_t v[4];
  };
  struct Floats {
    float v[4];
  };
  static constexpr size_t kBytes = 16;
  static constexpr size_t kLanes = 4;
  static constexpr int kByteZeroPoint = 128;
  static constexpr size_t kDotRows = 2;
  static constexpr size_t kTileVectors = 1;
  static constexpr size_t kTileColumns = 4;
  static constexpr size_t kTileMinActivations = 8;

  static Bytes loadBytes(const void* p) { return copied<Bytes>(p, 16); }
  static Bytes loadBytesPartial(const void* p, size_t n) { return copied<Bytes>(p, n < 16 ? n : 16); }
  static Bytes broadcastDword(const void* p) {
    Bytes b;
    for (size_t i = 0; i < 4; ++i) std::memcpy(b.v + 4 * i, p, 4);
    return b;
  }
  static Bytes lowNibbles(Bytes b) {
    for (uint8_t& byte : b.v) byte &= 15;
    return b;
  }
  static Bytes highNibbles(Bytes b) {
    for (uint8_t& byte : b.v) byte = static_cast<uint8_t>(byte >> 4);
    return b;
  }
  /// Of 32 bits at once: there is nothing narrower to sum in.
  using NibbleSums = Ints;
  static constexpr size_t kMaxNibbleDots = SIZE_MAX;
  static NibbleSums beginNibbles(Ints ints) { return ints; }
  static Ints endNibbles(Ints, NibbleSums sums) { return sums; }
  static Ints dotNibbles(Ints acc, Bytes w, Bytes x) {
    for (size_t i = 0; i < 16; ++i) acc.v[i / 4] += int32_t{w.v[i]} * static_cast<int8_t>(x.v[i]);
    return acc;
  }
  static Ints dotBytes(Ints acc, Bytes w, Bytes x) { return dotNibbles(acc, w, x); }

  static Ints loadInts(const int32_t* p) { return copied<Ints>(p, 16); }
  static Ints broadcastInt(int32_t value) { return {{value, value, value, value}}; }
  static Ints add(Ints a, Ints b) {
    for (size_t i = 0; i < 4; ++i) a.v[i] += b.v[i];
    return a;
  }
  static Floats toFloats(Ints v) {
    return each([&](size_t i) { return static_cast<float>(v.v[i]); });
  }
  /// To nearest, ties to even: adding 1.5 * 2^23 leaves no fraction bits. Values that are not small integers are held at the ends.
  static Ints roundToInts(Floats v) {
    Ints out;
    for (size_t i = 0; i < 4; ++i) {
      const float bounded = v.v[i] > 4e6f ? 4e6f : (v.v[i] < -4e6f ? -4e6f : v.v[i]);
      const volatile float shifted = bounded + 12582912.0f;
      const float rounded = shifted - 12582912.0f;
      out.v[i] = rounded == rounded ? static_cast<int32_t>(rounded) : -4000000;
    }
    return out;
  }
  static void storeInt8(int8_t* p, Ints v) {
    for (size_t i = 0; i < 4; ++i) p[i] = static_cast<int8_t>(v.v[i] > 127 ? 127 : (v.v[i] < -128 ? -128 : v.v[i]));
  }
  static Floats loadInt8(const int8_t* p) {
    return each([&](size_t i) { return static_cast<float>(p[i]); });
  }
  static Floats loadFp16(const uint16_t* p) {
    return each([&](size_t i) { return fromFp16(p[i]); });
  }
  static void storeFp16(uint16_t* p, Floats v) {
    for (size_t i = 0; i < 4; ++i) p[i] = toFp16(v.v[i]);
  }
  /// The larger of the bit patterns, which orders magnitudes and puts NaN above all of them.
  static Ints maxMagnitude(Ints acc, Floats v) {
    for (size_t i = 0; i < 4; ++i) {
      const int32_t bits = copied<int32_t>(&v.v[i], 4) & 0x7fffffff;
      if (bits > acc.v[i]) acc.v[i] = bits;
    }
    return acc;
  }
  static int32_t reduceMax(Ints v) {
    int32_t most = v.v[0];
    for (int32_t value : v.v) most = value > most ? value : most;
    return most;
  }
  static Floats powerOfTwo(Ints exponent) {
    return each([&](size_t i) {
      const int32_t bits = static_cast<int32_t>(static_cast<uint32_t>(exponent.v[i] + 127) << 23);
      return copied<float>(&bits, 4);
    });
  }

  static Floats zero() { return broadcast(0); }
  static Floats broadcast(float value) { return {{value, value, value, value}}; }
  static Floats load(const float* p) { return copied<Floats>(p, 16); }
  static Floats loadPartial(const float* p, size_t n) { return copied<Floats>(p, (n < 4 ? n : 4) * sizeof(float)); }
  static void store(float* p, Floats v) { std::memcpy(p, v.v, 16); }
  static void storePartial(float* p, Floats v, size_t n) { std::memcpy(p, v.v, (n < 4 ? n : 4) * sizeof(float)); }
  static Floats add(Floats a, Floats b) {
    return each([&](size_t i) { return a.v[i] + b.v[i]; });
  }
  static Floats sub(Floats a, Floats b) {
    return each([&](size_t i) { return a.v[i] - b.v[i]; });
  }
  static Floats mul(Floats a, Floats b) {
    return each([&](size_t i) { return a.v[i] * b.v[i]; });
  }
  static Floats div(Floats a, Floats b) {
    return each([&](size_t i) { return a.v[i] / b.v[i]; });
  }
  static Floats fma(Floats a, Floats b, Floats c) {
    return each([&](size_t i) { return a.v[i] * b.v[i] + c.v[i]; });
  }
  /// b where either is NaN.
  static Floats max(Floats a, Floats b) {
    return each([&](size_t i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
  }
  static Floats min(Floats a, Floats b) {
    return each([&](size_t i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
  }
  static float reduceAdd(Floats v) { return (v.v[0] + v.v[2]) + (v.v[1] + v.v[3]); }
  static float reduceMax(Floats v) {
    float most = v.v[0];
    for (float value : v.v) most = value > most ? value : most;
    return most;
  }

  /// Each of kBlocks consecutive floats, repeated over its share of the lanes.
  template <size_t kBlocks>
  static Floats spread(const float* p) {
    static_assert(kBlocks == 1, "a vector holds at most one block");
    return broadcast(*p);
  }
  /// The sums of neighbouring lanes: two of a, two of b. kFit16: no lane is beyond 16 bits.
  template <bool kFit16>
  static Ints addPairs(Ints a, Ints b) {
    return {{a.v[0] + a.v[1], a.v[2] + a.v[3], b.v[0] + b.v[1], b.v[2] + b.v[3]}};
  }
  /// Of four rows in a vector, the vector for each block.
  template <size_t kBlocks>
  static void joinQuads(const Ints (&quads)[1], Ints (&blocks)[kBlocks]) {
    static_assert(kBlocks == 1, "a vector holds at most one block");
    blocks[0] = quads[0];
  }

  static Floats asFloats(Bytes b) { return copied<Floats>(b.v, 16); }
  static void storeBytes(void* p, Floats v) { std::memcpy(p, v.v, 16); }
  /// rows[i] lane j becomes rows[j] lane i, for any 32-bit contents.
  static void transpose(Floats (&rows)[4]) {
    float columns[4][4];
    for (size_t i = 0; i < 4; ++i)
      for (size_t j = 0; j < 4; ++j) std::memcpy(&columns[j][i], &rows[i].v[j], 4);
    std::memcpy(rows, columns, sizeof(columns));
  }
  static void prefetch(const void* p) { __builtin_prefetch(p); }

 private:
  template <class T>
  static T copied(const void* p, size_t n) {
    T value{};
    std::memcpy(&value, p, n);
    return value;
  }
  /// Scaling by 2^112 moves the exponent and makes subnormals normal; infinity and NaN keep the largest exponent.
  static float fromFp16(uint16_t half) {
    const uint32_t magnitude = static_cast<uint32_t>(half & 0x7fff) << 13;
    float value = copied<float>(&magnitude, 4) * 0x1p112f;
    uint32_t bits = copied<uint32_t>(&value, 4);
    if ((half & 0x7c00) == 0x7c00) bits |= 0x7f800000;
    bits |= static_cast<uint32_t>(half & 0x8000) << 16;
    return copied<float>(&bits, 4);
  }
  /// To nearest, ties to even. What is below the smallest normal number is rounded by the addition of 0.5, whose last bit is 2^-24.
  static uint16_t toFp16(float value) {
    const uint32_t bits = copied<uint32_t>(&value, 4);
    const uint32_t magnitude = bits & 0x7fffffff;
    uint32_t half = 0x7c00;
    if (magnitude > 0x7f800000) {
      half = 0x7e00 | ((magnitude >> 13) & 0x3ff);
    } else if (magnitude < 0x38800000) {
      const volatile float shifted = copied<float>(&magnitude, 4) + 0.5f;
      const float rounded = shifted;
      half = copied<uint32_t>(&rounded, 4) - 0x3f000000;
    } else if (magnitude < 0x477ff000) {
      half = (magnitude - 0x38000000 + 0xfff + ((magnitude >> 13) & 1)) >> 13;
    }
    return static_cast<uint16_t>(half | ((bits >> 16) & 0x8000));
  }
  template <class F>
  static Floats each(F&& lane) {
    return {{lane(0), lane(1), lane(2), lane(3)}};
  }
};

}  // namespace expertmesh
