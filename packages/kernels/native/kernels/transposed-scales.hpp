#pragma once
#include "../core/matrix.hpp"
#include "vector-ops.hpp"

namespace expertmesh {

/// What transposeScales writes for one vector of rows.
template <class S>
size_t transposedScalesFloats(const Matrix& matrix) {
  return (matrix.numBlocks() + S::kLanes - 1) / S::kLanes * S::kLanes * S::kLanes;
}

/// The scales of kVectors vectors of rows from `row` on: [block][row]. Rows behind the first numRows repeat the last of them.
template <class S, size_t kVectors>
void transposeScales(const Matrix& matrix, size_t row, size_t numRows, float* out) {
  const size_t numBlocks = matrix.numBlocks();
  eachVector<S>(numBlocks, [&](size_t block, size_t lanes) {
    for (size_t v = 0; v < kVectors; ++v) {
      typename S::Floats rows[S::kLanes];
      for (size_t i = 0; i < S::kLanes; ++i) {
        const size_t index = v * S::kLanes + i < numRows ? v * S::kLanes + i : numRows - 1;
        rows[i] = loadLanes<S>(matrix.scales + (row + index) * numBlocks + block, lanes);
      }
      S::transpose(rows);
      for (size_t i = 0; i < S::kLanes; ++i) S::store(out + ((block + i) * kVectors + v) * S::kLanes, rows[i]);
    }
  });
}

}  // namespace expertmesh
