#pragma once
#include "../core/kernel-set.hpp"

namespace expertmesh {

/// Products of unpacked weights with int8 activations, summed exactly, in lanes as narrow as the instruction set has use for.
template <class S, size_t kBits>
struct WeightDots;

template <class S>
struct WeightDots<S, 4> {
  using Sums = typename S::NibbleSums;
  /// Vectors of weight bytes that may be added between begin and end.
  static constexpr size_t kMaxVectors = S::kMaxNibbleDots / 2;

  static inline Sums begin(typename S::Ints ints) { return S::beginNibbles(ints); }
  /// @param ints as begin had them
  static inline typename S::Ints end(typename S::Ints ints, Sums sums) { return S::endNibbles(ints, sums); }

  /// The activations of a chunk begin at `element`, its even ones first.
  template <size_t kActivations>
  static inline void addChunk(typename S::Bytes weights, size_t element, const uint8_t* const* activations, Sums (&sums)[kActivations]) {
    const auto even = S::lowNibbles(weights);
    const auto odd = S::highNibbles(weights);
    for (size_t j = 0; j < kActivations; ++j) {
      sums[j] = S::dotNibbles(sums[j], even, S::loadBytes(activations[j] + element));
      sums[j] = S::dotNibbles(sums[j], odd, S::loadBytes(activations[j] + element + S::kBytes));
    }
  }

  /// Every lane of some vectors has four bytes of a row of its own; all meet the same activations, broadcast.
  template <size_t kVectors, size_t kColumns>
  static inline void addDword(const uint8_t* weights, size_t element, const uint8_t* const* activations,
                              Sums (&sums)[kVectors][kColumns]) {
    typename S::Bytes even[kVectors], odd[kVectors];
    for (size_t v = 0; v < kVectors; ++v) {
      const auto bytes = S::loadBytes(weights + v * S::kBytes);
      even[v] = S::lowNibbles(bytes);
      odd[v] = S::highNibbles(bytes);
    }
    for (size_t j = 0; j < kColumns; ++j) {
      const auto evenX = S::broadcastDword(activations[j] + element);
      const auto oddX = S::broadcastDword(activations[j] + element + S::kBytes);
      for (size_t v = 0; v < kVectors; ++v) sums[v][j] = S::dotNibbles(S::dotNibbles(sums[v][j], even[v], evenX), odd[v], oddX);
    }
  }
};

template <class S>
struct WeightDots<S, 8> {
  using Sums = typename S::Ints;
  static constexpr size_t kMaxVectors = SIZE_MAX;

  static inline Sums begin(typename S::Ints ints) { return ints; }
  static inline typename S::Ints end(typename S::Ints, Sums sums) { return sums; }

  template <size_t kActivations>
  static inline void addChunk(typename S::Bytes weights, size_t element, const uint8_t* const* activations, Sums (&sums)[kActivations]) {
    for (size_t j = 0; j < kActivations; ++j) sums[j] = S::dotBytes(sums[j], weights, S::loadBytes(activations[j] + element));
  }

  template <size_t kVectors, size_t kColumns>
  static inline void addDword(const uint8_t* weights, size_t element, const uint8_t* const* activations,
                              Sums (&sums)[kVectors][kColumns]) {
    for (size_t j = 0; j < kColumns; ++j) {
      const auto x = S::broadcastDword(activations[j] + element);
      for (size_t v = 0; v < kVectors; ++v) sums[v][j] = S::dotBytes(sums[v][j], S::loadBytes(weights + v * S::kBytes), x);
    }
  }
};

}  // namespace expertmesh
