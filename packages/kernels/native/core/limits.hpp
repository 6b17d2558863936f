#pragma once
#include <cstddef>

namespace expertmesh {

/// Rows of one call: more than any step has, and few enough that no size can overflow.
constexpr size_t kMaxRows = size_t{1} << 20;
/// Of one sequence.
constexpr size_t kMaxTokens = size_t{1} << 28;
/// (row, expert) pairs of one call.
constexpr size_t kMaxPairs = size_t{1} << 24;
constexpr size_t kMaxThreads = 1024;

}  // namespace expertmesh
