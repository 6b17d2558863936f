#pragma once
#include <optional>
#include <vector>

#include "dense-layer.hpp"
#include "kernel-set.hpp"

namespace expertmesh {

/// Some rows of one sequence that are attended to together.
struct AttentionGroup {
  size_t sequenceIndex;
  /// Among all rows of the call.
  size_t row;
  size_t numRows;
  /// Tokens before the first row.
  size_t position;
  /// Stretches of groups before this one that are pieces of their own.
  size_t partialsBefore;

  size_t numSegments() const { return (position + numRows + kSegmentTokens - 1) / kSegmentTokens; }
};

/// What one thread computes for one KV head.
struct AttentionPiece {
  size_t groupIndex;
  /// Absent: the whole context.
  std::optional<size_t> segment;
};

struct AttentionPlan {
  std::vector<AttentionGroup> groups;
  std::vector<AttentionPiece> pieces;
  /// Groups whose stretches are pieces of their own.
  std::vector<size_t> dividedGroups;
  size_t numPartials = 0;
  /// The most rows of a divided group.
  size_t maxDividedRows = 0;
};

/// Queries that share a tile: enough to pay for its conversion, few enough for the cache.
inline size_t maxRowsPerGroup(size_t groupSize) {
  constexpr size_t kQueries = 48;
  return groupSize >= kQueries ? 1 : kQueries / groupSize;
}

/// A prompt has rows enough for all threads; a few rows of a long sequence have their context divided.
inline AttentionPlan planAttention(const std::vector<SequenceRows>& sequences, size_t groupSize) {
  const size_t step = maxRowsPerGroup(groupSize);
  AttentionPlan plan;
  size_t firstRow = 0;
  for (size_t i = 0; i < sequences.size(); ++i) {
    for (size_t row = 0; row < sequences[i].numRows; row += step) {
      const size_t left = sequences[i].numRows - row;
      plan.groups.push_back({i, firstRow + row, left < step ? left : step, sequences[i].length + row, plan.numPartials});
      const size_t groupIndex = plan.groups.size() - 1, numSegments = plan.groups.back().numSegments();
      if (sequences[i].numRows > step || numSegments == 1) {
        plan.pieces.push_back({groupIndex, std::nullopt});
        continue;
      }
      for (size_t segment = 0; segment < numSegments; ++segment) plan.pieces.push_back({groupIndex, segment});
      plan.dividedGroups.push_back(groupIndex);
      plan.numPartials += numSegments;
      if (left > plan.maxDividedRows) plan.maxDividedRows = left;
    }
    firstRow += sequences[i].numRows;
  }
  return plan;
}

}  // namespace expertmesh
