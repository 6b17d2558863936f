// Products, norms and the like of every kernel set against plain double arithmetic on the dequantised weights.
#include <cstring>

#include "../core/isa.hpp"
#include "../core/linear.hpp"
#include "check.hpp"
#include "random-weights.hpp"
#include "reference.hpp"
#include "tests.hpp"

namespace expertmesh::test {

namespace {

constexpr std::chrono::microseconds kSpin{20};

void checkProduct(const KernelSet& kernels, size_t out, size_t in, size_t bits, size_t block, size_t numRows, Numerics numerics) {
  const StoredMatrix stored = randomMatrix(out, in, bits, block);
  auto x = randomFloats(numRows * in);
  // A block of zeros, and one value that dwarfs its block.
  for (size_t i = 0; i < 32 && i < in; ++i) x[i] = 0;
  x[x.size() - 1] = 100;
  std::vector<float> y(numRows * out, NAN);
  ThreadTeam team(kernels, 2, kSpin, numerics);
  Workspace workspace;
  const Linear linear(stored);
  linear.check({x.data(), x.size()}, {y.data(), y.size()});
  linear.run(team, workspace, {x.data(), x.size()}, {y.data(), y.size()});
  std::vector<double> magnitude;
  const auto expected = product(stored.matrix, x, &magnitude);
  const std::string what = std::string(kernels.name) + " " + std::to_string(bits) + " bits, block " + std::to_string(block) +
                           ", [" + std::to_string(out) + ", " + std::to_string(in) + "] x " + std::to_string(numRows) +
                           (numerics == Numerics::kFast ? ", fast" : ", invariant");
  for (size_t i = 0; i < y.size(); ++i) checkNear(y[i], expected[i], 3e-6 * magnitude[i] + 1e-6, what);
}

/// A row's bits do not depend on the rows that are multiplied with it where products are invariant.
void checkRowsAlone(const KernelSet& kernels, size_t out, size_t in, size_t bits, size_t block) {
  constexpr size_t kNumRows = 17;
  const Linear linear(randomMatrix(out, in, bits, block));
  const auto x = randomFloats(kNumRows * in);
  ThreadTeam team(kernels, 2, kSpin, Numerics::kInvariant);
  Workspace workspace;
  const auto multiply = [&](size_t first, size_t count) {
    std::vector<float> y(count * out);
    linear.run(team, workspace, {x.data() + first * in, count * in}, {y.data(), y.size()});
    return y;
  };
  const auto all = multiply(0, kNumRows);
  for (const size_t count : {1, 2, 3, 4, 5, 6, 8, 9})
    for (size_t first = 0; first + count <= kNumRows; first += count) {
      const auto some = multiply(first, count);
      check(std::memcmp(some.data(), all.data() + first * out, some.size() * sizeof(float)) == 0,
            std::string(kernels.name) + " " + std::to_string(bits) + " bits, block " + std::to_string(block) + ", [" + std::to_string(out) +
                ", " + std::to_string(in) + "]: " + std::to_string(count) + " rows alone give other bits");
    }
}

void checkNotFinite(const KernelSet& kernels, size_t bits, size_t numRows, Numerics numerics) {
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    const StoredMatrix stored = randomMatrix(40, 128, bits, 32);
    std::vector<float> x(numRows * 128, 1), y(numRows * 40);
    x[5] = bad;
    x[(numRows - 1) * 128 + 127] = bad;
    ThreadTeam team(kernels, 1, kSpin, numerics);
    Workspace workspace;
    Linear(stored).run(team, workspace, {x.data(), x.size()}, {y.data(), y.size()});
    for (size_t i = 0; i < 40; ++i) {
      check(!std::isfinite(y[i]) && !std::isfinite(y[(numRows - 1) * 40 + i]), std::string(kernels.name) + " lost a value that is not finite");
      check(std::isfinite(y[40 + i]), std::string(kernels.name) + " spread a value that is not finite");
    }
  }
}

void checkVectorOps(const KernelSet& kernels) {
  for (const size_t n : {1, 3, 4, 7, 8, 15, 16, 17, 48, 100, 257}) {
    const auto x = randomFloats(n, 3), w = randomFloats(n);
    std::vector<float> y(n);
    kernels.rmsNorm(x.data(), w.data(), 1e-6f, n, y.data());
    const auto norms = normed(x, w.data(), n, 1e-6f);
    for (size_t i = 0; i < n; ++i) checkNear(y[i], norms[i], 1e-5, std::string(kernels.name) + " rmsNorm");
    kernels.siluMultiply(x.data(), w.data(), n, y.data());
    const auto silu = siluTimes(x.data(), w.data(), n);
    for (size_t i = 0; i < n; ++i) checkNear(y[i], silu[i], 1e-5, std::string(kernels.name) + " siluMultiply");
    y = x;
    kernels.softmax(y.data(), n);
    double sum = 0;
    for (const float value : x) sum += std::exp(double{value});
    for (size_t i = 0; i < n; ++i) checkNear(y[i], std::exp(double{x[i]}) / sum, 1e-6, std::string(kernels.name) + " softmax");
  }
  const float extremes[] = {-1e30f, -200, -88, 0, 88, 200, 1e30f, -INFINITY, INFINITY};
  const float ones[] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
  float y[9];
  kernels.siluMultiply(extremes, ones, 9, y);
  for (const size_t i : {0, 1, 2, 3}) checkNear(y[i], 0, 1e-7, std::string(kernels.name) + " silu of very negative values");
  for (const size_t i : {4, 5, 6, 8}) check(y[i] == extremes[i], std::string(kernels.name) + " silu of very large values");
}

}  // namespace

void testProducts() {
  for (const KernelSet* kernels : supportedKernelSets()) {
    for (const Numerics numerics : {Numerics::kFast, Numerics::kInvariant}) {
      for (const size_t bits : {4, 8})
        for (const size_t block : {32, 64, 128})
          for (const size_t numBlocks : {1, 2, 3, 4, 5, 7})
            for (const size_t numRows : {1, 2, 3, 4, 5, 7, 8, 9, 13, 17})
              checkProduct(*kernels, 1 + randomBelow(70), block * numBlocks, bits, block, numRows, numerics);
      // More than one panel along the rows, and more activations than share one.
      for (const size_t bits : {4, 8})
        for (const size_t block : {32, 128})
          for (const size_t numRows : {1, 9, 131}) checkProduct(*kernels, 37, block * 37, bits, block, numRows, numerics);
      for (const size_t bits : {4, 8})
        for (const size_t numRows : {3, 16}) checkNotFinite(*kernels, bits, numRows, numerics);
    }
    for (const size_t in : {1, 5, 16, 48, 100})
      for (const size_t numRows : {1, 2, 3, 4, 6}) checkProduct(*kernels, 1 + randomBelow(40), in, 32, 0, numRows, Numerics::kFast);
    for (const size_t bits : {4, 8})
      for (const size_t block : {32, 64, 128})
        for (const size_t numBlocks : {1, 3, 6, 16, 37}) checkRowsAlone(*kernels, 1 + randomBelow(70), block * numBlocks, bits, block);
    for (const size_t in : {1, 48, 100}) checkRowsAlone(*kernels, 1 + randomBelow(40), in, 32, 0);
    checkVectorOps(*kernels);
  }
}

}  // namespace expertmesh::test
