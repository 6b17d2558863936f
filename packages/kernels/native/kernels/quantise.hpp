#pragma once
#include <cstring>

#include "../core/activation-layout.hpp"
#include "step-shape.hpp"

namespace expertmesh {

/// fp32 activations to int8, one scale a block: scale = max |x| / 127, rounded to nearest even.
template <class S, size_t kBits, size_t kBlock>
struct Quantiser {
  using Shape = StepShape<S, kBits, kBlock>;

  static void run(const ActivationLayout& layout, const float* x, void* row) {
    auto* bytes = static_cast<uint8_t*>(row);
    auto* laneScales = reinterpret_cast<float*>(bytes + layout.laneScales);
    auto* laneCorrections = reinterpret_cast<int32_t*>(bytes + layout.laneCorrections);
    auto* blockScales = reinterpret_cast<float*>(bytes + layout.blockScales);
    auto* blockCorrections = reinterpret_cast<int32_t*>(bytes + layout.blockCorrections);
    if (layout.numBlocks % Shape::kBlocksPerStep != 0) clearLastStep(layout, bytes, laneScales);
    std::memset(laneCorrections, 0, layout.numSteps * S::kBytes);
    for (size_t block = 0; block < layout.numBlocks; ++block) {
      int8_t values[kBlock];
      const float scale = roundBlock(x + block * kBlock, values);
      int32_t sum = 0;
      for (int8_t value : values) sum += value;
      place(values, block * kBlock, reinterpret_cast<int8_t*>(bytes));
      const size_t lane = block * kLanesPerBlock;
      for (size_t i = 0; i < kLanesPerBlock; ++i) laneScales[lane + i] = scale;
      laneCorrections[lane] = -Shape::kZeroPoint * sum;
      blockScales[block] = scale;
      blockCorrections[block] = -Shape::kZeroPoint * sum;
    }
  }

 private:
  static constexpr size_t kLanesPerBlock = S::kLanes / Shape::kBlocksPerStep;

  static void clearLastStep(const ActivationLayout& layout, uint8_t* bytes, float* laneScales) {
    std::memset(bytes + (layout.numSteps - 1) * Shape::kStep, 0, Shape::kStep);
    std::memset(laneScales + (layout.numSteps - 1) * S::kLanes, 0, S::kBytes);
  }

  /// The magnitude is found in the bit patterns, so that a NaN becomes the scale instead of being lost in a comparison.
  static float roundBlock(const float* x, int8_t* values) {
    auto most = S::broadcastInt(0);
    for (size_t i = 0; i < kBlock; i += S::kLanes) most = S::maxMagnitude(most, S::load(x + i));
    const int32_t bits = S::reduceMax(most);
    float magnitude;
    std::memcpy(&magnitude, &bits, sizeof(magnitude));
    const auto inverse = S::broadcast(magnitude > 0 ? 127.0f / magnitude : 0.0f);
    for (size_t i = 0; i < kBlock; i += S::kLanes)
      S::storeInt8(values + i, S::roundToInts(S::mul(S::load(x + i), inverse)));
    return magnitude / 127.0f;
  }

  /// Puts a block's values where the unpacked weights will meet them; `first` is the index of its first element.
  static void place(const int8_t* values, size_t first, int8_t* row) {
    if constexpr (kBits == 8) {
      std::memcpy(row + first, values, kBlock);
    } else {
      constexpr size_t kRun = kBlock < Shape::kChunk ? kBlock : Shape::kChunk;
      for (size_t start = 0; start < kBlock; start += kRun) {
        const size_t element = first + start;
        int8_t* even = row + element / Shape::kChunk * Shape::kChunk + element % Shape::kChunk / 2;
        for (size_t i = 0; i < kRun / 2; ++i) {
          even[i] = values[start + 2 * i];
          even[S::kBytes + i] = values[start + 2 * i + 1];
        }
      }
    }
  }
};

}  // namespace expertmesh
