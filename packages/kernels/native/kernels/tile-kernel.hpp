#pragma once
#include <cstring>

#include "../core/kernel-set.hpp"
#include "step-shape.hpp"

namespace expertmesh {

/**
 * Products with many activation rows. A tile of matrix rows is transposed once, four bytes of each row side by side, so
 * that every lane belongs to one output: no sums across lanes, and one scale per lane and block. The transposed tile then
 * meets all activation rows, six at a time, their bytes broadcast.
 */
template <class S, size_t kBits, size_t kBlock>
struct TileKernel {
  using Shape = StepShape<S, kBits, kBlock>;
  using Floats = typename S::Floats;
  static constexpr size_t kTileRows = S::kLanes * S::kTileVectors;
  /// Groups of four bytes that a row has in one block.
  static constexpr size_t kDwordsPerBlock = kBlock * kBits / 32;

  static size_t scratchBytes(const Matrix& matrix) {
    return kTileRows * (matrix.rowBytes() + matrix.numBlocks() * sizeof(float));
  }

  static void run(const Product& p) {
    auto* tile = static_cast<uint8_t*>(p.scratch);
    auto* scales = reinterpret_cast<float*>(tile + kTileRows * p.matrix->rowBytes());
    for (size_t row = p.rowBegin; row < p.rowEnd; row += kTileRows) {
      const size_t numRows = p.rowEnd - row < kTileRows ? p.rowEnd - row : kTileRows;
      transposeWeights(*p.matrix, row, numRows, tile);
      transposeScales(*p.matrix, row, numRows, scales);
      allActivations(p, row, numRows, tile, scales);
    }
  }

 private:
  /// tile: [dword of the row][vector][lane][4 bytes]. Lanes without a row repeat the last one; nobody reads their sums.
  static void transposeWeights(const Matrix& matrix, size_t row, size_t numRows, uint8_t* tile) {
    const size_t rowBytes = matrix.rowBytes();
    for (size_t start = 0; start < rowBytes; start += S::kBytes) {
      const size_t numBytes = rowBytes - start < S::kBytes ? rowBytes - start : S::kBytes;
      for (size_t v = 0; v < S::kTileVectors; ++v) {
        Floats lanes[S::kLanes];
        for (size_t i = 0; i < S::kLanes; ++i) {
          const size_t lane = v * S::kLanes + i;
          const uint8_t* p = matrix.weights + (row + (lane < numRows ? lane : numRows - 1)) * rowBytes + start;
          S::prefetch(p + kTileRows * rowBytes < matrix.weights + matrix.out * rowBytes ? p + kTileRows * rowBytes : p);
          lanes[i] = S::asFloats(numBytes == S::kBytes ? S::loadBytes(p) : S::loadBytesPartial(p, numBytes));
        }
        S::transpose(lanes);
        uint8_t* target = tile + (start / 4 * S::kTileVectors + v) * S::kBytes;
        for (size_t dword = 0; dword < numBytes / 4; ++dword)
          S::storeBytes(target + dword * S::kTileVectors * S::kBytes, lanes[dword]);
      }
    }
  }

  /// scales: [block][tile row]
  static void transposeScales(const Matrix& matrix, size_t row, size_t numRows, float* scales) {
    const size_t numBlocks = matrix.numBlocks();
    for (size_t lane = 0; lane < kTileRows; ++lane) {
      const float* from = matrix.scales + (row + (lane < numRows ? lane : numRows - 1)) * numBlocks;
      for (size_t block = 0; block < numBlocks; ++block) scales[block * kTileRows + lane] = from[block];
    }
  }

  /// In groups as even as possible, so that none is left with a single row.
  static void allActivations(const Product& p, size_t row, size_t numRows, const uint8_t* tile, const float* scales) {
    const size_t numGroups = (p.numActivations + S::kTileColumns - 1) / S::kTileColumns;
    for (size_t group = 0; group < numGroups; ++group) {
      const size_t first = p.numActivations * group / numGroups;
      const size_t count = p.numActivations * (group + 1) / numGroups - first;
      columns<S::kTileColumns>(count, p, row, numRows, first, tile, scales);
    }
  }

  template <size_t kColumns>
  static void columns(size_t count, const Product& p, size_t row, size_t numRows, size_t first, const uint8_t* tile,
                      const float* scales) {
    if constexpr (kColumns > 1)
      if (count < kColumns) return columns<kColumns - 1>(count, p, row, numRows, first, tile, scales);
    product<kColumns>(p, row, numRows, first, tile, scales);
  }

  template <size_t kColumns>
  static void product(const Product& p, size_t row, size_t numRows, size_t first, const uint8_t* tile,
                      const float* scales) {
    const ActivationLayout& layout = *p.layout;
    const uint8_t* activations[kColumns];
    for (size_t j = 0; j < kColumns; ++j) activations[j] = static_cast<const uint8_t*>(p.activations[first + j]);
    Floats sums[S::kTileVectors][kColumns];
    for (auto& vectorSums : sums)
      for (auto& sum : vectorSums) sum = S::zero();
    for (size_t block = 0; block < layout.numBlocks; ++block)
      addBlock<kColumns>(layout, block, activations, tile + block * kDwordsPerBlock * S::kTileVectors * S::kBytes,
                         scales + block * kTileRows, sums);
    for (size_t v = 0; v < S::kTileVectors && v * S::kLanes < numRows; ++v) {
      const size_t lanes = numRows - v * S::kLanes;
      for (size_t j = 0; j < kColumns; ++j) {
        float* out = p.outputs + (first + j) * p.outputStride + (row - p.rowBegin) + v * S::kLanes;
        if (lanes >= S::kLanes) S::store(out, sums[v][j]);
        else S::storePartial(out, sums[v][j], lanes);
      }
    }
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
    for (size_t dword = 0; dword < kDwordsPerBlock; ++dword)
      addDword<kColumns>(element(block, dword), activations, tile + dword * S::kTileVectors * S::kBytes, ints);
    for (size_t j = 0; j < kColumns; ++j) {
      float activationScale;
      std::memcpy(&activationScale, activations[j] + layout.blockScales + block * sizeof(float), sizeof(float));
      const Floats scale = S::broadcast(activationScale);
      for (size_t v = 0; v < S::kTileVectors; ++v)
        sums[v][j] = S::fma(S::toFloats(ints[v][j]), S::mul(scale, S::load(scales + v * S::kLanes)), sums[v][j]);
    }
  }

  /// Where the activations of a dword lie; for 4 bits those of its even elements, the odd ones being one vector further.
  static inline size_t element(size_t block, size_t dword) {
    if constexpr (kBits == 8) return block * kBlock + dword * 4;
    const size_t byte = block * (kBlock / 2) + dword * 4;
    return byte / S::kBytes * Shape::kChunk + byte % S::kBytes;
  }

  template <size_t kColumns>
  static inline void addDword(size_t element, const uint8_t* const* activations, const uint8_t* tile,
                              typename S::Ints (&ints)[S::kTileVectors][kColumns]) {
    if constexpr (kBits == 4) {
      typename S::Bytes even[S::kTileVectors], odd[S::kTileVectors];
      for (size_t v = 0; v < S::kTileVectors; ++v) {
        const auto weights = S::loadBytes(tile + v * S::kBytes);
        even[v] = S::lowNibbles(weights);
        odd[v] = S::highNibbles(weights);
      }
      for (size_t j = 0; j < kColumns; ++j) {
        const auto evenX = S::broadcastDword(activations[j] + element);
        const auto oddX = S::broadcastDword(activations[j] + element + S::kBytes);
        for (size_t v = 0; v < S::kTileVectors; ++v)
          ints[v][j] = S::dotNibbles(S::dotNibbles(ints[v][j], even[v], evenX), odd[v], oddX);
      }
    } else {
      for (size_t j = 0; j < kColumns; ++j) {
        const auto x = S::broadcastDword(activations[j] + element);
        for (size_t v = 0; v < S::kTileVectors; ++v)
          ints[v][j] = S::dotBytes(ints[v][j], S::loadBytes(tile + v * S::kBytes), x);
      }
    }
  }
};

}  // namespace expertmesh
