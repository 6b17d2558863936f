#pragma once
#include <cstddef>

namespace expertmesh {

/// How vectors, blocks and steps of one quantisation fit together on one instruction set. See ActivationLayout.
template <class S, size_t kBits, size_t kBlock>
struct StepShape {
  /// Elements that one vector of weights holds.
  static constexpr size_t kChunk = S::kBytes * 8 / kBits;
  static constexpr size_t kStep = kChunk > kBlock ? kChunk : kBlock;
  static constexpr size_t kStepBytes = kStep * kBits / 8;
  static constexpr size_t kChunksPerStep = kStep / kChunk;
  static constexpr size_t kBlocksPerStep = kStep / kBlock;
  static constexpr int kZeroPoint = kBits == 4 ? 8 : S::kByteZeroPoint;
};

}  // namespace expertmesh
