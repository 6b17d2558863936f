#pragma once
#include <vector>

#include "aligned-buffer.hpp"
#include "kernel-set.hpp"
#include "thread-team.hpp"

namespace expertmesh {

/// fp32 rows in the form in which a matrix wants its activations. Reused from call to call.
class ActivationRows {
 public:
  /// Takes numRows rows of matrix.in values each; fp32 matrices read them where they are, so they must stay there.
  void prepare(ThreadTeam& team, const Matrix& matrix, const float* x, size_t numRows);

  const ActivationLayout& layout() const { return layout_; }
  /// One pointer a row, as Product wants them.
  const void* const* pointers() const { return pointers_.data(); }
  size_t numRows() const { return pointers_.size(); }
  size_t sizeBytes() const { return bytes_.sizeBytes() + pointers_.capacity() * sizeof(void*); }
  void free();

 private:
  ActivationLayout layout_{};
  AlignedBuffer bytes_;
  std::vector<const void*> pointers_;
};

/// Memory that all jobs of a pool use in turn.
struct Workspace {
  ActivationRows activations;
  /// Meaning depends on the job; see where they are reserved.
  AlignedBuffer first;
  AlignedBuffer second;
  AlignedBuffer third;
  /// Of attention whose context is divided.
  AlignedBuffer partials;
  std::vector<const void*> pointers;

  size_t sizeBytes() const;
  /// Frees all of it where it is more than that. Not while a job runs. Returns what is left.
  size_t keepAtMost(size_t bytes);
};

}  // namespace expertmesh
