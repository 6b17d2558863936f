#pragma once
#include "../core/kernel-set.hpp"
#include "each-few-rows.hpp"
#include "step-shape.hpp"
#include "weight-dots.hpp"

namespace expertmesh {

/// How far ahead of the weights in use those to come are fetched. The hardware's own prefetching ends at every page.
constexpr size_t kPrefetchBytes = 4096;

/**
 * Products with few activation rows, for which reading the weights is all the work: several rows of the matrix are read
 * side by side, straight from the store's layout, each against up to four activation rows.
 */
template <class S, size_t kBits, size_t kBlock>
struct DotKernel {
  using Shape = StepShape<S, kBits, kBlock>;
  using Dots = WeightDots<S, kBits>;
  using Floats = typename S::Floats;

  static void run(const Product& p) { eachFewRows<S, DotKernel>(p); }

  template <size_t kRows, size_t kActivations>
  static void dots(const Product& p, size_t row, size_t first) {
    const ActivationLayout& layout = *p.layout;
    const size_t rowBytes = p.matrix->rowBytes();
    const uint8_t* weights = p.matrix->weights + row * rowBytes;
    const float* scales = p.matrix->scales + row * layout.numBlocks;
    const uint8_t* activations[kActivations];
    for (size_t j = 0; j < kActivations; ++j) activations[j] = static_cast<const uint8_t*>(p.activations[first + j]);

    Floats sums[kRows][kActivations];
    for (auto& rowSums : sums)
      for (auto& sum : rowSums) sum = S::zero();
    const size_t numWhole = layout.numBlocks / Shape::kBlocksPerStep;
    for (size_t step = 0; step < numWhole; ++step) {
      for (size_t r = 0; r < kRows; ++r) {
        const float* stepScales = scales + r * layout.numBlocks + step * Shape::kBlocksPerStep;
        const Floats scale = S::template spread<Shape::kBlocksPerStep>(stepScales);
        addStep<kActivations>(layout, weights + r * rowBytes + step * Shape::kStepBytes, step, activations, scale, sums[r]);
      }
    }
    if (numWhole < layout.numSteps)
      for (size_t r = 0; r < kRows; ++r)
        addLastStep<kActivations>(layout, weights + r * rowBytes, scales + r * layout.numBlocks, activations, sums[r]);
    for (size_t j = 0; j < kActivations; ++j)
      for (size_t r = 0; r < kRows; ++r) p.outputs[(first + j) * p.outputStride + row - p.rowBegin + r] = S::reduceAdd(sums[r][j]);
  }

 private:
  static_assert(Shape::kChunksPerStep <= Dots::kMaxVectors, "a step is summed in one go");

  template <size_t kActivations>
  static inline void addStep(const ActivationLayout& layout, const uint8_t* weights, size_t step,
                             const uint8_t* const* activations, Floats scale, Floats* sums) {
    typename Dots::Sums dots[kActivations];
    for (size_t j = 0; j < kActivations; ++j) dots[j] = Dots::begin(corrections(layout, activations[j], step));
    for (size_t chunk = 0; chunk < Shape::kChunksPerStep; ++chunk) {
      if constexpr (S::kBytes >= 32) S::prefetch(weights + chunk * S::kBytes + kPrefetchBytes);
      const size_t element = step * Shape::kStep + chunk * Shape::kChunk;
      Dots::addChunk(S::loadBytes(weights + chunk * S::kBytes), element, activations, dots);
    }
    addScaled<kActivations>(layout, dots, step, activations, scale, sums);
  }

  /// The step that the matrix does not fill: its activations and their scales are zero where there are no weights.
  template <size_t kActivations>
  static inline void addLastStep(const ActivationLayout& layout, const uint8_t* rowWeights, const float* rowScales,
                                 const uint8_t* const* activations, Floats* sums) {
    const size_t step = layout.numSteps - 1;
    const size_t numBlocks = layout.numBlocks - step * Shape::kBlocksPerStep;
    float scales[Shape::kBlocksPerStep] = {};
    for (size_t i = 0; i < numBlocks; ++i) scales[i] = rowScales[step * Shape::kBlocksPerStep + i];
    typename Dots::Sums dots[kActivations];
    for (size_t j = 0; j < kActivations; ++j) dots[j] = Dots::begin(corrections(layout, activations[j], step));
    const auto weights = S::loadBytesPartial(rowWeights + step * Shape::kStepBytes, numBlocks * kBlock * kBits / 8);
    Dots::addChunk(weights, step * Shape::kStep, activations, dots);
    const Floats scale = S::template spread<Shape::kBlocksPerStep>(scales);
    addScaled<kActivations>(layout, dots, step, activations, scale, sums);
  }

  static inline typename S::Ints corrections(const ActivationLayout& layout, const uint8_t* activation, size_t step) {
    return S::loadInts(reinterpret_cast<const int32_t*>(activation + layout.laneCorrections) + step * S::kLanes);
  }

  template <size_t kActivations>
  static inline void addScaled(const ActivationLayout& layout, const typename Dots::Sums* dots, size_t step,
                               const uint8_t* const* activations, Floats scale, Floats* sums) {
    for (size_t j = 0; j < kActivations; ++j) {
      const auto* laneScales = reinterpret_cast<const float*>(activations[j] + layout.laneScales) + step * S::kLanes;
      const auto ints = Dots::end(corrections(layout, activations[j], step), dots[j]);
      sums[j] = S::fma(S::toFloats(ints), S::mul(scale, S::load(laneScales)), sums[j]);
    }
  }
};

}  // namespace expertmesh
