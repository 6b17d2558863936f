#pragma once
#include <cstddef>
#include <cstdint>

namespace expertmesh {

/// What keys and values are stored as; kInt8 with an fp32 scale for each token and head.
enum class KvDtype : uint8_t { kFp32, kFp16, kInt8 };

/// Tokens of a block.
constexpr size_t kBlockTokens = 32;
/// Tokens whose keys stand side by side, dimension after dimension: a vector of them is a vector of scores, and a token that is
/// written alone touches a fourth of the cache lines that it would in columns of a whole block.
constexpr size_t kKeyTokens = 8;

/**
 * What a block of the KV cache contains: for each layer and in it for each KV head the keys [4, head_dim, 8 tokens], the values
 * [32 tokens, head_dim] and, in int8, the scales of keys and of values, fp32 [32] each. Nothing in it depends on where it lies.
 * `kv-layout.ts` says the same.
 */
struct KvLayout {
  KvDtype dtype;
  size_t numLayers;
  size_t numKvHeads;
  size_t headDim;

  size_t elementBytes() const { return dtype == KvDtype::kFp32 ? 4 : (dtype == KvDtype::kFp16 ? 2 : 1); }
  size_t scaleBytes() const { return dtype == KvDtype::kInt8 ? 2 * kBlockTokens * sizeof(float) : 0; }
  size_t headBytes() const { return 2 * kBlockTokens * headDim * elementBytes() + scaleBytes(); }
  size_t blockBytes() const { return numLayers * numKvHeads * headBytes(); }
  size_t headOffset(size_t layer, size_t kvHead) const { return (layer * numKvHeads + kvHead) * headBytes(); }
};

/// Keys and values of one KV head in the blocks of one sequence.
struct KvHead {
  KvDtype dtype;
  size_t headDim;
  /// Where blocks start, in the order of their tokens.
  uint8_t* const* blocks;
  /// Of the head, from the start of each block.
  size_t offsetBytes;

  uint8_t* at(size_t block) const { return blocks[block] + offsetBytes; }
};

}  // namespace expertmesh
