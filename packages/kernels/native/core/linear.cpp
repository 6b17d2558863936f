#include "linear.hpp"

#include "limits.hpp"
#include "require.hpp"

namespace expertmesh {

void Linear::check(Span<const float> x, Span<float> y) const {
  const Matrix& matrix = weights_.matrix;
  const size_t numRows = x.size / matrix.in;
  requireRange("the number of rows", numRows, 1, kMaxRows);
  requireSize("x", x.size, numRows * matrix.in);
  requireSize("y", y.size, numRows * matrix.out);
}

void Linear::run(ThreadTeam& team, Workspace& workspace, Span<const float> x, Span<float> y) const {
  workspace.activations.prepare(team, weights_.matrix, x.data, x.size / weights_.matrix.in);
  multiplyMatrix(team, weights_.matrix, workspace.activations, y.data, [](size_t, size_t) {});
}

}  // namespace expertmesh
