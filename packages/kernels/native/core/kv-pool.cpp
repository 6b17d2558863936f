#include "kv-pool.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "require.hpp"

namespace expertmesh {

namespace {

void requireLayout(const KvLayout& layout) {
  requireRange("numLayers", layout.numLayers, 1, 4096);
  requireRange("numKvHeads", layout.numKvHeads, 1, 4096);
  requireRange("headDim", layout.headDim, 2, 4096);
  require(layout.headDim % 2 == 0, "headDim must be even");
}

/// Advice that a system may have no use for, so that its failure is none.
void adviseLargePages(Span<uint8_t> slab) {
#if defined(__linux__)
  constexpr uintptr_t kPage = 4096;
  const auto begin = (reinterpret_cast<uintptr_t>(slab.data) + kPage - 1) / kPage * kPage;
  const auto end = (reinterpret_cast<uintptr_t>(slab.data) + slab.size) / kPage * kPage;
  if (end > begin) (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#else
  (void)slab;
#endif
}

}  // namespace

KvPool::KvPool(KvLayout layout, std::vector<Span<uint8_t>> slabs) : layout_(layout), slabs_(std::move(slabs)), numBlocks_(0) {
  requireLayout(layout_);
  require(!slabs_.empty(), "a KV pool has at least one slab");
  const size_t blockBytes = layout_.blockBytes();
  blocksPerSlab_ = slabs_.front().size / blockBytes;
  for (const Span<uint8_t>& slab : slabs_) {
    require(slab.size > 0 && slab.size % blockBytes == 0, "a slab is a whole number of blocks, and at least one");
    require(reinterpret_cast<uintptr_t>(slab.data) % alignof(float) == 0, "a slab starts on a border of 4 bytes");
    require(&slab == &slabs_.back() ? slab.size <= slabs_.front().size : slab.size == slabs_.front().size,
            "slabs are alike, but for a smaller last one");
    numBlocks_ += slab.size / blockBytes;
    adviseLargePages(slab);
  }
  requireRange("the number of blocks", numBlocks_, 1, size_t{1} << 30);
}

void KvPool::appendBlocks(Span<const int32_t> ids, std::vector<uint8_t*>& blocks) const {
  for (size_t i = 0; i < ids.size; ++i) {
    const auto id = static_cast<size_t>(ids.data[i]);
    if (ids.data[i] < 0 || id >= numBlocks_)
      throw InvalidArgument("there is no KV block " + std::to_string(ids.data[i]) + ", there are " + std::to_string(numBlocks_));
    blocks.push_back(slabs_[id / blocksPerSlab_].data + id % blocksPerSlab_ * layout_.blockBytes());
  }
}

}  // namespace expertmesh
