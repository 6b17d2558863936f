#pragma once
#include "../core/kernel-set.hpp"

namespace expertmesh {

/// The rows first, first + 1, ... of the activations, kActivations of them, by all of the product's rows of the matrix.
template <class S, class Kernel, size_t kActivations>
void eachFewMatrixRows(const Product& p, size_t first) {
  size_t row = p.rowBegin;
  for (; row + S::kDotRows <= p.rowEnd; row += S::kDotRows)
    Kernel::template dots<S::kDotRows, kActivations>(p, row, first);
  for (; row < p.rowEnd; ++row) Kernel::template dots<1, kActivations>(p, row, first);
}

/// Cuts a product into a few rows of the matrix by up to four activation rows at a time, which Kernel::dots computes.
template <class S, class Kernel>
void eachFewRows(const Product& p) {
  constexpr size_t kMaxActivations = 4;
  for (size_t first = 0; first < p.numActivations; first += kMaxActivations) {
    switch (p.numActivations - first) {
      case 1: eachFewMatrixRows<S, Kernel, 1>(p, first); break;
      case 2: eachFewMatrixRows<S, Kernel, 2>(p, first); break;
      case 3: eachFewMatrixRows<S, Kernel, 3>(p, first); break;
      default: eachFewMatrixRows<S, Kernel, kMaxActivations>(p, first); break;
    }
  }
}

}  // namespace expertmesh
