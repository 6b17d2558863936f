#pragma once
#include <cstddef>

#include "matrix.hpp"

namespace expertmesh {

/**
 * How one activation row is held for the products with a quantised matrix, as offsets in bytes. The int8 values come in
 * the order in which a vector of weights unpacks: for 4 bits, each chunk (the elements of one vector) has its even
 * elements first and then its odd ones. A step is the larger of chunk and block: what the dot kernel sums in integers.
 *
 * Weights enter the products unsigned; the corrections take their zero point off again. Lane scales and corrections are
 * laid out as the dot kernel's lanes need them, block scales and corrections are one value a block for the tile kernel.
 */
struct ActivationLayout {
  size_t numBlocks;
  size_t numSteps;
  size_t laneScales;
  size_t laneCorrections;
  size_t blockScales;
  size_t blockCorrections;
  /// Of one row, a multiple of 64.
  size_t rowBytes;

  static ActivationLayout of(const Matrix& matrix, size_t vectorBytes) {
    const size_t chunk = vectorBytes * 8 / static_cast<size_t>(matrix.bits);
    const size_t step = chunk > matrix.block ? chunk : matrix.block;
    ActivationLayout layout{};
    layout.numBlocks = matrix.numBlocks();
    layout.numSteps = (matrix.in + step - 1) / step;
    layout.laneScales = aligned(layout.numSteps * step);
    layout.laneCorrections = layout.laneScales + layout.numSteps * vectorBytes;
    layout.blockScales = layout.laneCorrections + layout.numSteps * vectorBytes;
    layout.blockCorrections = layout.blockScales + layout.numBlocks * sizeof(float);
    layout.rowBytes = aligned(layout.blockCorrections + layout.numBlocks * sizeof(float));
    return layout;
  }

 private:
  static size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }
};

}  // namespace expertmesh
