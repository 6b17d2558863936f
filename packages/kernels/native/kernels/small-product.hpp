#pragma once
#include "vector-ops.hpp"

namespace expertmesh {

/**
 * out [numRows, width] = (or +=) a [numRows, depth] times a source [depth, width], whose vectors are loaded and converted as they are
 * used. Rows of `out` have room for whole vectors. An element's bits do not depend on the number of rows.
 */
template <class S, bool kAccumulate, class Source>
struct SmallProduct {
  using Floats = typename S::Floats;
  /// Rows of a tile; where the registers are enough and rows come in sixes, six hide more of an addition's latency.
  static constexpr size_t kRows = 4;
  static constexpr size_t kMoreRows = S::kTileColumns >= 6 ? 6 : 4;
  static constexpr size_t kVectors = 2;

  const float* a;
  size_t aStride;
  size_t numRows;
  Source source;
  size_t depth;
  size_t width;
  float* out;
  size_t outStride;

  void run() const {
    if (numRows % kMoreRows == 0) runAll<kMoreRows>();
    else runAll<kRows>();
  }

 private:
  template <size_t kCount>
  void runAll() const {
    for (size_t column = 0; column < width; column += kVectors * S::kLanes)
      for (size_t row = 0; row < numRows; row += kCount) runTile<kCount>(row, column);
  }

  template <size_t kCount>
  void runTile(size_t row, size_t column) const {
    const size_t count = numRows - row < kCount ? numRows - row : kCount;
    const size_t left = width - column;
    if (count == kCount && left >= kVectors * S::kLanes) return multiply<kCount, kVectors>(row, column);
    for (size_t v = 0; v < kVectors * S::kLanes && v < left; v += S::kLanes)
      for (size_t r = row; r < row + count; ++r) {
        if (left - v >= S::kLanes) multiply<1, 1>(r, column + v);
        else multiplyPartial(r, column + v, left - v);
      }
  }

  template <size_t kCount, size_t kWidth>
  void multiply(size_t row, size_t column) const {
    const float* factors = a + row * aStride;
    float* to = out + row * outStride + column;
    Floats sums[kCount][kWidth];
    for (size_t r = 0; r < kCount; ++r)
      for (size_t v = 0; v < kWidth; ++v) sums[r][v] = kAccumulate ? S::load(to + r * outStride + v * S::kLanes) : S::zero();
    for (size_t k = 0; k < depth; ++k) {
      Floats loaded[kWidth];
      for (size_t v = 0; v < kWidth; ++v) loaded[v] = source.load(k, column + v * S::kLanes);
      for (size_t r = 0; r < kCount; ++r) {
        const Floats factor = S::broadcast(factors[r * aStride + k]);
        for (size_t v = 0; v < kWidth; ++v) sums[r][v] = S::fma(factor, loaded[v], sums[r][v]);
      }
    }
    for (size_t r = 0; r < kCount; ++r)
      for (size_t v = 0; v < kWidth; ++v) S::store(to + r * outStride + v * S::kLanes, sums[r][v]);
  }

  /// The last vector of an odd head_dim.
  void multiplyPartial(size_t row, size_t column, size_t lanes) const {
    float* to = out + row * outStride + column;
    Floats sum = kAccumulate ? S::load(to) : S::zero();
    for (size_t k = 0; k < depth; ++k)
      sum = S::fma(S::broadcast(a[row * aStride + k]), source.loadPartial(k, column, lanes), sum);
    S::store(to, sum);
  }
};

}  // namespace expertmesh
