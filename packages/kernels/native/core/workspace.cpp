#include "workspace.hpp"

namespace expertmesh {

void ActivationRows::prepare(ThreadTeam& team, const Matrix& matrix, const float* x, size_t numRows) {
  pointers_.resize(numRows);
  layout_ = ActivationLayout::of(matrix, team.kernels().vectorBytes);
  if (matrix.bits == WeightBits::k32) {
    for (size_t i = 0; i < numRows; ++i) pointers_[i] = x + i * matrix.in;
    return;
  }
  auto* bytes = bytes_.reserve<std::byte>(numRows * layout_.rowBytes);
  for (size_t i = 0; i < numRows; ++i) pointers_[i] = bytes + i * layout_.rowBytes;
  // A row takes about a microsecond, no more than handing it to another thread.
  constexpr size_t kGrain = 4;
  team.parallelFor(numRows, kGrain, [&](size_t begin, size_t end, size_t) {
    for (size_t i = begin; i < end; ++i)
      team.kernels().quantise(matrix, layout_, x + i * matrix.in, bytes + i * layout_.rowBytes);
  });
}

void ActivationRows::free() {
  bytes_.free();
  std::vector<const void*>().swap(pointers_);
}

size_t Workspace::sizeBytes() const {
  return activations.sizeBytes() + first.sizeBytes() + second.sizeBytes() + third.sizeBytes() + partials.sizeBytes() +
         pointers.capacity() * sizeof(void*);
}

size_t Workspace::keepAtMost(size_t bytes) {
  if (sizeBytes() <= bytes) return sizeBytes();
  activations.free();
  for (AlignedBuffer* buffer : {&first, &second, &third, &partials}) buffer->free();
  std::vector<const void*>().swap(pointers);
  return sizeBytes();
}

}  // namespace expertmesh
