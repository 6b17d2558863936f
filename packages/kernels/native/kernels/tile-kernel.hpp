#pragma once
#include <cstring>

#include "../core/kernel-set.hpp"
#include "step-shape.hpp"
#include "transposed-scales.hpp"
#include "weight-dots.hpp"

namespace expertmesh {

/**
 * Products with many activation rows. Tile by tile of matrix rows and panel by panel along them, the weights are transposed,
 * four bytes of each row side by side, so that every lane belongs to one output: no sums across lanes, and one scale per lane
 * and block. A transposed panel is small enough for the nearest cache, where it meets all activation rows, six at a time,
 * their bytes broadcast.
 */
template <class S, size_t kBits, size_t kBlock>
struct TileKernel {
  using Shape = StepShape<S, kBits, kBlock>;
  using Dots = WeightDots<S, kBits>;
  using Floats = typename S::Floats;
  static constexpr size_t kTileRows = S::kLanes * S::kTileVectors;
  /// Groups of four bytes that a row has in one block.
  static constexpr size_t kDwordsPerBlock = kBlock * kBits / 32;
  /// Of these the activations are side by side, and their sums fit.
  static constexpr size_t kMostDwords = S::kBytes / 4 < Dots::kMaxVectors ? S::kBytes / 4 : Dots::kMaxVectors;
  static constexpr size_t kDwordsAtOnce = kDwordsPerBlock < kMostDwords ? kDwordsPerBlock : kMostDwords;
  static_assert(kDwordsPerBlock % kDwordsAtOnce == 0, "all of a block's dwords are summed");
  /// Of one row of the matrix.
  static constexpr size_t kPanelBytes = 8 * Shape::kStepBytes;
  static constexpr size_t kBlocksPerPanel = 8 * Shape::kBlocksPerStep;
  /// Activation rows that share a transposition: as many as have their sums in the nearest cache.
  static constexpr size_t kMaxActivations = 128;

  static size_t scratchBytes(const Matrix& matrix) {
    return kTileRows * kPanelBytes + sizeof(float) * (kTileRows * kMaxActivations + S::kTileVectors * transposedScalesFloats<S>(matrix));
  }

  static void run(const Product& p) {
    for (size_t row = p.rowBegin; row < p.rowEnd; row += kTileRows) {
      Tile tile(p, row);
      transposeScales<S, S::kTileVectors>(*p.matrix, row, tile.numRows, tile.scales);
      for (size_t first = 0; first < p.numActivations; first += kMaxActivations)
        multiply(tile, first, p.numActivations - first < kMaxActivations ? p.numActivations - first : kMaxActivations);
    }
  }

 private:
  /// Some rows of the matrix, and the parts of the scratch memory. Lanes without a row repeat the last one; nobody reads their sums.
  struct Tile {
    const Product& product;
    const Matrix& matrix;
    size_t row;
    size_t numRows;
    /// Of one panel: [dword of the row][vector][lane][4 bytes]
    uint8_t* weights;
    /// [activation][tile row]
    float* sums;
    /// [block][tile row]
    float* scales;

    Tile(const Product& p, size_t tileRow)
        : product(p),
          matrix(*p.matrix),
          row(tileRow),
          numRows(p.rowEnd - tileRow < kTileRows ? p.rowEnd - tileRow : kTileRows),
          weights(static_cast<uint8_t*>(p.scratch)),
          sums(reinterpret_cast<float*>(weights + kTileRows * kPanelBytes)),
          scales(sums + kMaxActivations * kTileRows) {}

    size_t rowOf(size_t lane) const { return row + (lane < numRows ? lane : numRows - 1); }
  };

  /// Cache lines to fetch while a group of activations meets a panel.
  struct Lines {
    const uint8_t* first;
    size_t numPerBlock;
  };
  static constexpr size_t kLineBytes = 64;

  static void multiply(const Tile& tile, size_t first, size_t count) {
    std::memset(tile.sums, 0, count * kTileRows * sizeof(float));
    for (size_t block = 0; block < tile.product.layout->numBlocks; block += kBlocksPerPanel) {
      transposePanel(tile, block);
      allActivations(tile, block, first, count);
    }
    for (size_t j = 0; j < count; ++j) {
      float* out = tile.product.outputs + (first + j) * tile.product.outputStride + (tile.row - tile.product.rowBegin);
      eachVector<S>(tile.numRows, [&](size_t i, size_t lanes) { storeLanes<S>(out + i, S::load(tile.sums + j * kTileRows + i), lanes); });
    }
  }

  static void transposePanel(const Tile& tile, size_t firstBlock) {
    const size_t rowBytes = tile.matrix.rowBytes();
    const size_t start = firstBlock * kBlock * kBits / 8;
    const size_t end = start + kPanelBytes < rowBytes ? start + kPanelBytes : rowBytes;
    for (size_t byte = start; byte < end; byte += S::kBytes) {
      const size_t numBytes = end - byte < S::kBytes ? end - byte : S::kBytes;
      for (size_t v = 0; v < S::kTileVectors; ++v) {
        Floats lanes[S::kLanes];
        for (size_t i = 0; i < S::kLanes; ++i) {
          const uint8_t* p = tile.matrix.weights + tile.rowOf(v * S::kLanes + i) * rowBytes + byte;
          lanes[i] = S::asFloats(numBytes == S::kBytes ? S::loadBytes(p) : S::loadBytesPartial(p, numBytes));
        }
        S::transpose(lanes);
        uint8_t* target = tile.weights + ((byte - start) / 4 * S::kTileVectors + v) * S::kBytes;
        for (size_t dword = 0; dword < S::kLanes; ++dword)
          S::storeBytes(target + dword * S::kTileVectors * S::kBytes, lanes[dword]);
      }
    }
  }

  /// In groups as even as possible, so that none is left with a single row.
  static void allActivations(const Tile& tile, size_t block, size_t first, size_t count) {
    const size_t numGroups = (count + S::kTileColumns - 1) / S::kTileColumns;
    // Meanwhile the next tile is fetched in the order of memory: as much of it as this panel has of this one, a little with each
    // block, because many requests at once would be waited for.
    const size_t linesPerBlock = (kTileRows * kPanelBytes / kBlocksPerPanel / kLineBytes + numGroups - 1) / numGroups;
    const uint8_t* next = tile.matrix.weights + (tile.row + kTileRows) * tile.matrix.rowBytes() + kTileRows * block * kBlock * kBits / 8;
    for (size_t group = 0; group < numGroups; ++group) {
      const size_t begin = count * group / numGroups;
      const size_t end = count * (group + 1) / numGroups;
      const Lines lines{next + group * kBlocksPerPanel * linesPerBlock * kLineBytes, linesPerBlock};
      columns<S::kTileColumns>(end - begin, tile, block, tile.product.activations + first + begin, tile.sums + begin * kTileRows, lines);
    }
  }

  template <size_t kColumns>
  static void columns(size_t count, const Tile& tile, size_t block, const void* const* activations, float* sums, Lines lines) {
    if constexpr (kColumns > 1)
      if (count < kColumns) return columns<kColumns - 1>(count, tile, block, activations, sums, lines);
    addPanel<kColumns>(tile, block, activations, sums, lines);
  }

  template <size_t kColumns>
  static void addPanel(const Tile& tile, size_t firstBlock, const void* const* rows, float* sums, Lines lines) {
    const ActivationLayout& layout = *tile.product.layout;
    const uint8_t* activations[kColumns];
    for (size_t j = 0; j < kColumns; ++j) activations[j] = static_cast<const uint8_t*>(rows[j]);
    Floats columnSums[S::kTileVectors][kColumns];
    for (size_t j = 0; j < kColumns; ++j)
      for (size_t v = 0; v < S::kTileVectors; ++v) columnSums[v][j] = S::load(sums + j * kTileRows + v * S::kLanes);
    for (size_t i = 0; i < kBlocksPerPanel && firstBlock + i < layout.numBlocks; ++i) {
      for (size_t k = 0; k < lines.numPerBlock; ++k) S::prefetch(lines.first + (i * lines.numPerBlock + k) * kLineBytes);
      addBlock<kColumns>(layout, firstBlock + i, activations, tile.weights + i * kDwordsPerBlock * S::kTileVectors * S::kBytes,
                         tile.scales + (firstBlock + i) * kTileRows, columnSums);
    }
    for (size_t j = 0; j < kColumns; ++j)
      for (size_t v = 0; v < S::kTileVectors; ++v) S::store(sums + j * kTileRows + v * S::kLanes, columnSums[v][j]);
  }

  template <size_t kColumns>
  static inline void addBlock(const ActivationLayout& layout, size_t block, const uint8_t* const* activations,
                              const uint8_t* tile, const float* scales, Floats (&sums)[S::kTileVectors][kColumns]) {
    typename S::Ints ints[S::kTileVectors][kColumns];
    for (size_t j = 0; j < kColumns; ++j) {
      int32_t correction;
      std::memcpy(&correction, activations[j] + layout.blockCorrections + block * sizeof(correction), sizeof(correction));
      for (size_t v = 0; v < S::kTileVectors; ++v) ints[v][j] = S::broadcastInt(correction);
    }
    for (size_t first = 0; first < kDwordsPerBlock; first += kDwordsAtOnce) {
      typename Dots::Sums dots[S::kTileVectors][kColumns];
      for (size_t v = 0; v < S::kTileVectors; ++v)
        for (size_t j = 0; j < kColumns; ++j) dots[v][j] = Dots::begin(ints[v][j]);
      const size_t element = elementOf(block, first);
#pragma GCC unroll 1
      for (size_t i = 0; i < kDwordsAtOnce; ++i)
        Dots::addDword(tile + (first + i) * S::kTileVectors * S::kBytes, element + i * 4, activations, dots);
      for (size_t v = 0; v < S::kTileVectors; ++v)
        for (size_t j = 0; j < kColumns; ++j) ints[v][j] = Dots::end(ints[v][j], dots[v][j]);
    }
    for (size_t j = 0; j < kColumns; ++j) {
      float activationScale;
      std::memcpy(&activationScale, activations[j] + layout.blockScales + block * sizeof(float), sizeof(float));
      const Floats scale = S::broadcast(activationScale);
      for (size_t v = 0; v < S::kTileVectors; ++v)
        sums[v][j] = S::fma(S::toFloats(ints[v][j]), S::mul(scale, S::load(scales + v * S::kLanes)), sums[v][j]);
    }
  }

  /// Where the activations of a dword lie; for 4 bits those of its even elements, the odd ones being one vector further.
  static inline size_t elementOf(size_t block, size_t dword) {
    if constexpr (kBits == 8) return block * kBlock + dword * 4;
    const size_t byte = block * (kBlock / 2) + dword * 4;
    return byte / S::kBytes * Shape::kChunk + byte % S::kBytes;
  }
};

}  // namespace expertmesh
