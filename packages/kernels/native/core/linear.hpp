#pragma once
#include "mapped-file.hpp"
#include "span.hpp"
#include "thread-team.hpp"
#include "workspace.hpp"

namespace expertmesh {

/// Rows of a matrix that one thread takes at a time: a multiple of every kernel set's tile.
constexpr size_t kTileRows = 32;

/// How many tiles to hand out at least: enough work to be worth it, and a few pieces for each thread.
inline size_t tileGrain(const Matrix& matrix, size_t numTiles, size_t numThreads) {
  constexpr size_t kPieceBytes = 64 * 1024;
  const size_t worthwhile = kPieceBytes / (kTileRows * matrix.rowBytes()) + 1;
  const size_t fair = numTiles / (numThreads * 4) + 1;
  return worthwhile < fair ? worthwhile : fair;
}

/**
 * out [rows of x, matrix.out] = x times the transposed matrix; then `finish(rowBegin, rowEnd)` for each range of the matrix's
 * rows, on the thread that computed it.
 */
template <class Finish>
void multiplyMatrix(ThreadTeam& team, const Matrix& matrix, const ActivationRows& x, float* out, const Finish& finish) {
  const KernelSet& kernels = team.kernels();
  team.reserveScratch(kernels.productScratchBytes(matrix));
  const size_t numTiles = (matrix.out + kTileRows - 1) / kTileRows;
  team.parallelFor(numTiles, tileGrain(matrix, numTiles, team.numThreads()), [&](size_t begin, size_t end, size_t thread) {
    const size_t rowBegin = begin * kTileRows;
    const size_t rowEnd = end * kTileRows < matrix.out ? end * kTileRows : matrix.out;
    kernels.multiply({&matrix, &x.layout(), rowBegin, rowEnd, x.pointers(), x.numRows(), out + rowBegin, matrix.out,
                      team.scratch(thread), team.numerics()});
    finish(rowBegin, rowEnd);
  });
}

/// y [rows, out] = x [rows, in] times one matrix of the store.
class Linear {
 public:
  explicit Linear(StoredMatrix weights) : weights_(std::move(weights)) {}
  /// Throws InvalidArgument unless the sizes are whole rows and fit each other.
  void check(Span<const float> x, Span<float> y) const;
  void run(ThreadTeam& team, Workspace& workspace, Span<const float> x, Span<float> y) const;

 private:
  StoredMatrix weights_;
};

}  // namespace expertmesh
