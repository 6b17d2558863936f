#pragma once
#include "../core/kernel-set.hpp"
#include "each-few-rows.hpp"

namespace expertmesh {

/// Products with an fp32 matrix: a few of its rows by up to four activation rows at a time.
template <class S>
struct FloatProduct {
  using Floats = typename S::Floats;

  static void run(const Product& p) { eachFewRows<S, FloatProduct>(p); }

  template <size_t kRows, size_t kActivations>
  static void dots(const Product& p, size_t row, size_t first) {
    const size_t n = p.matrix->in;
    const float* weights = reinterpret_cast<const float*>(p.matrix->weights) + row * n;
    Floats sums[kRows][kActivations];
    for (auto& rowSums : sums)
      for (auto& sum : rowSums) sum = S::zero();
    size_t i = 0;
    for (; i + S::kLanes <= n; i += S::kLanes) {
      for (size_t r = 0; r < kRows; ++r) {
        const Floats weight = S::load(weights + r * n + i);
        for (size_t j = 0; j < kActivations; ++j)
          sums[r][j] = S::fma(weight, S::load(activation(p, first + j) + i), sums[r][j]);
      }
    }
    for (size_t r = 0; r < kRows && i < n; ++r) {
      const Floats weight = S::loadPartial(weights + r * n + i, n - i);
      for (size_t j = 0; j < kActivations; ++j)
        sums[r][j] = S::fma(weight, S::loadPartial(activation(p, first + j) + i, n - i), sums[r][j]);
    }
    for (size_t j = 0; j < kActivations; ++j)
      for (size_t r = 0; r < kRows; ++r) p.outputs[(first + j) * p.outputStride + row - p.rowBegin + r] = S::reduceAdd(sums[r][j]);
  }

 private:
  static const float* activation(const Product& p, size_t j) { return static_cast<const float*>(p.activations[j]); }
};

}  // namespace expertmesh
