#pragma once
#include "../core/kernel-set.hpp"
#include "step-shape.hpp"
#include "transposed-scales.hpp"
#include "weight-dots.hpp"

namespace expertmesh {

/**
 * As DotKernel for invariant products, at more work a block: as many rows of the matrix as a vector has lanes meet up to four
 * activation rows, straight from the store's layout. What comes of a block is one integer, whose sum has no order.
 * The blocks of all rows are added across together, so that every lane belongs to one output; they are scaled and added block by
 * block, by the same operations and in the same order as in the tile kernel: a row's bits do not depend on which of them computes it.
 */
template <class S, size_t kBits, size_t kBlock>
struct OrderedDotKernel {
  using Shape = StepShape<S, kBits, kBlock>;
  using Dots = WeightDots<S, kBits>;
  using Floats = typename S::Floats;
  using Ints = typename S::Ints;
  static constexpr size_t kMaxActivations = 4;

  static void run(const Product& p) {
    prefetchFirst(p);
    for (size_t row = p.rowBegin; row < p.rowEnd; row += S::kLanes) {
      const Rows rows(p, row);
      transposeScales<S, 1>(*p.matrix, row, rows.numRows, rows.scales);
      for (size_t first = 0; first < p.numActivations; first += kMaxActivations) {
        switch (p.numActivations - first) {
          case 1: multiply<1>(rows, first); break;
          case 2: multiply<2>(rows, first); break;
          case 3: multiply<3>(rows, first); break;
          default: multiply<kMaxActivations>(rows, first); break;
        }
      }
    }
  }

 private:
  static constexpr size_t kLineBytes = 64;
  /// Rows whose sums fill 128 bits of a vector.
  static constexpr size_t kQuad = 4;

  /// As many rows of the matrix as a vector has lanes. Lanes without a row repeat the last one; nobody reads their sums.
  struct Rows {
    const Product& product;
    size_t row;
    size_t numRows;
    const uint8_t* weights[S::kLanes];
    /// [block][row]
    float* scales;

    Rows(const Product& p, size_t firstRow)
        : product(p),
          row(firstRow),
          numRows(p.rowEnd - firstRow < S::kLanes ? p.rowEnd - firstRow : S::kLanes),
          scales(static_cast<float*>(p.scratch)) {
      for (size_t i = 0; i < S::kLanes; ++i)
        weights[i] = p.matrix->weights + (row + (i < numRows ? i : numRows - 1)) * p.matrix->rowBytes();
    }
  };

  /// What comes of the rows is fetched in the order of memory while those before them are computed; nobody has done so for the first.
  static void prefetchFirst(const Product& p) {
    const size_t rowBytes = p.matrix->rowBytes();
    const size_t numRows = p.rowEnd - p.rowBegin < S::kLanes ? p.rowEnd - p.rowBegin : S::kLanes;
    for (size_t byte = 0; byte < numRows * rowBytes; byte += kLineBytes) S::prefetch(p.matrix->weights + p.rowBegin * rowBytes + byte);
    const float* scales = p.matrix->scales + p.rowBegin * p.matrix->numBlocks();
    for (size_t i = 0; i < numRows * p.matrix->numBlocks(); i += kLineBytes / sizeof(float)) S::prefetch(scales + i);
  }

  template <size_t kActivations>
  static void multiply(const Rows& rows, size_t first) {
    const Product& p = rows.product;
    const uint8_t* activations[kActivations];
    for (size_t j = 0; j < kActivations; ++j) activations[j] = static_cast<const uint8_t*>(p.activations[first + j]);
    Floats sums[kActivations];
    for (auto& sum : sums) sum = S::zero();
    const size_t numWhole = p.layout->numBlocks / Shape::kBlocksPerStep;
    for (size_t step = 0; step < numWhole; ++step) addStep<kActivations, false>(rows, step, activations, sums);
    if (numWhole < p.layout->numSteps) addStep<kActivations, true>(rows, numWhole, activations, sums);
    for (size_t j = 0; j < kActivations; ++j)
      storeLanes<S>(p.outputs + (first + j) * p.outputStride + (rows.row - p.rowBegin), sums[j], rows.numRows);
  }

  /// kIsPartial: the step that the matrix does not fill; its activations are zero where there are no weights.
  template <size_t kActivations, bool kIsPartial>
  static inline void addStep(const Rows& rows, size_t step, const uint8_t* const* activations, Floats* sums) {
    const ActivationLayout& layout = *rows.product.layout;
    Ints quads[kActivations][S::kLanes / kQuad];
    for (size_t quad = 0; quad < S::kLanes / kQuad; ++quad) {
      Ints sumsOfQuad[kActivations];
      sumRows<kActivations, kQuad, kIsPartial>(rows, quad * kQuad, step, activations, sumsOfQuad);
      for (size_t j = 0; j < kActivations; ++j) quads[j][quad] = sumsOfQuad[j];
    }
    const size_t firstBlock = step * Shape::kBlocksPerStep;
    if constexpr (S::kBytes >= 32) {
      const float* nextScales = rows.product.matrix->scales + (rows.row + S::kLanes) * layout.numBlocks + firstBlock * S::kLanes;
      for (size_t i = 0; i < Shape::kBlocksPerStep; ++i) S::prefetch(nextScales + i * S::kLanes);
    }
    const size_t numBlocks = kIsPartial ? layout.numBlocks - firstBlock : Shape::kBlocksPerStep;
    for (size_t j = 0; j < kActivations; ++j) {
      Ints dots[Shape::kBlocksPerStep];
      S::template joinQuads<Shape::kBlocksPerStep>(quads[j], dots);
      for (size_t i = 0; i < numBlocks; ++i) sums[j] = addBlock(rows, firstBlock + i, dots[i], activations[j], sums[j]);
    }
  }

  /// What a step makes of some rows, added across until each of them has as many lanes as there are of them in 128 bits.
  template <size_t kActivations, size_t kRows, bool kIsPartial>
  static inline void sumRows(const Rows& rows, size_t firstRow, size_t step, const uint8_t* const* activations, Ints (&ints)[kActivations]) {
    if constexpr (kRows == 1) {
      sumStep<kActivations, kIsPartial>(rows, firstRow, step, activations, ints);
    } else {
      Ints others[kActivations];
      sumRows<kActivations, kRows / 2, kIsPartial>(rows, firstRow, step, activations, ints);
      sumRows<kActivations, kRows / 2, kIsPartial>(rows, firstRow + kRows / 2, step, activations, others);
      constexpr size_t kMost = Shape::kStep / S::kLanes * (kRows / 2) * 15 * 128;
      for (size_t j = 0; j < kActivations; ++j) ints[j] = S::template addPairs<kBits == 4 && kMost < 32768>(ints[j], others[j]);
    }
  }

  template <size_t kActivations, bool kIsPartial>
  static inline void sumStep(const Rows& rows, size_t row, size_t step, const uint8_t* const* activations, Ints (&ints)[kActivations]) {
    typename Dots::Sums dots[kActivations];
    for (size_t j = 0; j < kActivations; ++j) dots[j] = Dots::begin(S::broadcastInt(0));
    const uint8_t* weights = rows.weights[row] + step * Shape::kStepBytes;
    const size_t rowBytes = rows.product.matrix->rowBytes();
    if constexpr (S::kBytes >= 32) {
      const uint8_t* next = rows.weights[0] + S::kLanes * rowBytes + (step * S::kLanes + row) * Shape::kStepBytes;
      for (size_t byte = 0; byte < Shape::kStepBytes; byte += kLineBytes) S::prefetch(next + byte);
    }
    for (size_t chunk = 0; chunk < Shape::kChunksPerStep; ++chunk) {
      const auto bytes = kIsPartial ? S::loadBytesPartial(weights, rowBytes % Shape::kStepBytes) : S::loadBytes(weights + chunk * S::kBytes);
      Dots::addChunk(bytes, step * Shape::kStep + chunk * Shape::kChunk, activations, dots);
    }
    for (size_t j = 0; j < kActivations; ++j) ints[j] = Dots::end(S::broadcastInt(0), dots[j]);
  }

  static inline Floats addBlock(const Rows& rows, size_t block, Ints dots, const uint8_t* activation, Floats sum) {
    const ActivationLayout& layout = *rows.product.layout;
    int32_t correction;
    float scale;
    std::memcpy(&correction, activation + layout.blockCorrections + block * sizeof(correction), sizeof(correction));
    std::memcpy(&scale, activation + layout.blockScales + block * sizeof(scale), sizeof(scale));
    const Floats centred = S::toFloats(S::add(dots, S::broadcastInt(correction)));
    return S::fma(centred, S::mul(S::broadcast(scale), S::load(rows.scales + block * S::kLanes)), sum);
  }
};

}  // namespace expertmesh
