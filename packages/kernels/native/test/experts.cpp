// The expert layer against plain arithmetic, and against itself with other numbers of threads.
#include <algorithm>

#include "../core/expert-layer.hpp"
#include "../core/isa.hpp"
#include "check.hpp"
#include "random-weights.hpp"
#include "reference.hpp"
#include "tests.hpp"

namespace expertmesh::test {

namespace {

struct Case {
  size_t hidden, intermediate, numExperts, numRows, numPairs, bits, block;
};

struct Pairs {
  std::vector<uint32_t> rows, experts;
  std::vector<float> weights;
};

Pairs randomPairs(const Case& c) {
  Pairs pairs;
  for (size_t i = 0; i < c.numPairs; ++i) {
    pairs.rows.push_back(static_cast<uint32_t>(randomBelow(c.numRows)));
    pairs.experts.push_back(static_cast<uint32_t>(randomBelow(c.numExperts)));
  }
  std::sort(pairs.experts.begin(), pairs.experts.end());
  pairs.weights = randomFloats(c.numPairs, 0.3f);
  return pairs;
}

std::vector<float> computed(const ExpertLayer& layer, const KernelSet& kernels, size_t numThreads, const std::vector<float>& x,
                            const Pairs& pairs) {
  std::vector<float> out(x.size(), NAN);
  ThreadTeam team(kernels, numThreads, std::chrono::microseconds(20));
  Workspace workspace;
  const ExpertCall call{{x.data(), x.size()},
                        {pairs.rows.data(), pairs.rows.size()},
                        {pairs.experts.data(), pairs.experts.size()},
                        {pairs.weights.data(), pairs.weights.size()},
                        {out.data(), out.size()}};
  layer.check(call);
  layer.run(team, workspace, call);
  return out;
}

std::vector<double> expectedOf(const Case& c, const std::vector<ExpertWeights>& experts, const std::vector<float>& x,
                               const Pairs& pairs) {
  std::vector<double> out(x.size());
  for (size_t i = 0; i < pairs.rows.size(); ++i) {
    const auto& expert = experts[pairs.experts[i]];
    const auto row = x.begin() + static_cast<std::ptrdiff_t>(pairs.rows[i] * c.hidden);
    const auto both = product(expert.gateUp.matrix, {row, row + static_cast<std::ptrdiff_t>(c.hidden)});
    const auto inner = siluTimes(both.data(), both.data() + c.intermediate, c.intermediate);
    const auto y = product(expert.down.matrix, inner);
    for (size_t j = 0; j < c.hidden; ++j) out[pairs.rows[i] * c.hidden + j] += double{pairs.weights[i]} * y[j];
  }
  return out;
}

void checkCase(const Case& c) {
  std::vector<ExpertWeights> experts;
  for (size_t i = 0; i < c.numExperts; ++i)
    experts.push_back({randomMatrix(2 * c.intermediate, c.hidden, c.bits, c.block), randomMatrix(c.hidden, c.intermediate, c.bits, c.block)});
  const auto x = randomFloats(c.numRows * c.hidden);
  const Pairs pairs = randomPairs(c);
  const auto expected = expectedOf(c, experts, x, pairs);
  double largest = 1e-3;
  for (const double value : expected) largest = std::max(largest, std::fabs(value));
  const ExpertLayer layer(experts);
  for (const KernelSet* kernels : supportedKernelSets()) {
    const auto out = computed(layer, *kernels, 1, x, pairs);
    // A value at the edge of a step of the int8 activations may fall on the other side.
    for (size_t i = 0; i < out.size(); ++i)
      checkNear(out[i], expected[i], 5e-3 * largest, std::string(kernels->name) + " experts, pairs " + std::to_string(c.numPairs));
    for (const size_t numThreads : {2, 3, 5})
      check(computed(layer, *kernels, numThreads, x, pairs) == out, "experts depend on the number of threads");
  }
}

}  // namespace

void testExperts() {
  checkCase({64, 32, 5, 1, 3, 4, 32});
  checkCase({64, 32, 5, 3, 0, 4, 32});
  checkCase({160, 96, 4, 7, 40, 4, 32});
  checkCase({128, 192, 3, 30, 90, 8, 64});
  checkCase({256, 128, 2, 40, 140, 4, 128});
  checkCase({96, 64, 9, 11, 33, 8, 32});
  checkCase({40, 24, 3, 5, 9, 32, 0});
}

}  // namespace expertmesh::test
