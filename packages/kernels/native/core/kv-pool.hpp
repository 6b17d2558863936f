#pragma once
#include <vector>

#include "kv-layout.hpp"
#include "span.hpp"

namespace expertmesh {

/// The memory of the KV cache: slabs that somebody else owns, each a whole number of blocks. Blocks are numbered through all slabs.
class KvPool {
 public:
  /**
   * Throws InvalidArgument for sizes that no model has, slabs that are not whole blocks, and all but the last that differ in size.
   * Asks the system for large pages: a context's blocks lie megabytes apart.
   */
  KvPool(KvLayout layout, std::vector<Span<uint8_t>> slabs);

  const KvLayout& layout() const { return layout_; }
  size_t numBlocks() const { return numBlocks_; }
  /// Appends where the blocks start. Throws InvalidArgument for an id that no block has.
  void appendBlocks(Span<const int32_t> ids, std::vector<uint8_t*>& blocks) const;

 private:
  KvLayout layout_;
  std::vector<Span<uint8_t>> slabs_;
  size_t blocksPerSlab_;
  size_t numBlocks_;
};

}  // namespace expertmesh
