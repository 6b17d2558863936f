#pragma once
#include "linear.hpp"

namespace expertmesh {

/// The final norm and the language-model head.
class Head {
 public:
  /// Throws InvalidArgument unless the norm has the size of the matrix's input.
  Head(StoredMatrix norm, StoredMatrix lmHead, float epsilon);
  /// hidden [rows, hidden], logits [rows, vocab]. Throws InvalidArgument unless the sizes fit.
  void check(Span<const float> hidden, Span<float> logits) const;
  void run(ThreadTeam& team, Workspace& workspace, Span<const float> hidden, Span<float> logits) const;

 private:
  StoredMatrix norm_;
  StoredMatrix lmHead_;
  float epsilon_;
};

}  // namespace expertmesh
