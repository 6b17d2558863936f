#pragma once
#include <vector>

#include "dense-layer.hpp"

namespace expertmesh {

/// Some rows of one sequence that one thread attends to for one KV head.
struct AttentionPiece {
  size_t sequenceIndex;
  /// Among all rows of the call.
  size_t row;
  size_t numRows;
  /// Tokens before the first row.
  size_t position;
};

/// Queries that share a transposed tile of keys: enough to pay for it, few enough for the cache.
inline size_t maxRowsPerPiece(size_t groupSize) {
  constexpr size_t kQueries = 48;
  return groupSize >= kQueries ? 1 : kQueries / groupSize;
}

/// Depends on the sequences alone, so that a result does not depend on the number of threads.
inline std::vector<AttentionPiece> planAttention(const std::vector<SequenceRows>& sequences, size_t groupSize) {
  const size_t step = maxRowsPerPiece(groupSize);
  std::vector<AttentionPiece> pieces;
  size_t firstRow = 0;
  for (size_t i = 0; i < sequences.size(); ++i) {
    for (size_t row = 0; row < sequences[i].numRows; row += step) {
      const size_t left = sequences[i].numRows - row;
      pieces.push_back({i, firstRow + row, left < step ? left : step, sequences[i].length + row});
    }
    firstRow += sequences[i].numRows;
  }
  return pieces;
}

}  // namespace expertmesh
