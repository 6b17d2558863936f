#include "head.hpp"

#include "limits.hpp"
#include "require.hpp"

namespace expertmesh {

Head::Head(StoredMatrix norm, StoredMatrix lmHead, float epsilon)
    : norm_(std::move(norm)), lmHead_(std::move(lmHead)), epsilon_(epsilon) {
  require(norm_.matrix.bits == WeightBits::k32 && norm_.matrix.out == 1, "the final norm must be an fp32 vector");
  requireSize("the final norm", norm_.matrix.in, lmHead_.matrix.in);
}

void Head::check(Span<const float> hidden, Span<float> logits) const {
  const size_t numRows = hidden.size / lmHead_.matrix.in;
  requireRange("the number of rows", numRows, 1, kMaxRows);
  requireSize("hidden", hidden.size, numRows * lmHead_.matrix.in);
  requireSize("logits", logits.size, numRows * lmHead_.matrix.out);
}

void Head::run(ThreadTeam& team, Workspace& workspace, Span<const float> hidden, Span<float> logits) const {
  const size_t size = lmHead_.matrix.in;
  const size_t numRows = hidden.size / size;
  auto* normed = workspace.first.reserve<float>(hidden.size);
  const auto* weight = reinterpret_cast<const float*>(norm_.matrix.weights);
  for (size_t row = 0; row < numRows; ++row)
    team.kernels().rmsNorm(hidden.data + row * size, weight, epsilon_, size, normed + row * size);
  workspace.activations.prepare(team, lmHead_.matrix, normed, numRows);
  multiplyMatrix(team, lmHead_.matrix, workspace.activations, logits.data, [](size_t, size_t) {});
}

}  // namespace expertmesh
