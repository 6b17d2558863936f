// The expert layer against plain arithmetic, and against itself with other numbers of threads.
#include <algorithm>

#include "../core/exact-sum.hpp"
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
                        {out.data(), out.size()},
                        {},
                        {}};
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

/// The pairs that `isWanted` picks, as a worker that holds some of the experts gets them.
template <class IsWanted>
Pairs someOf(const Pairs& pairs, const IsWanted& isWanted) {
  Pairs some;
  for (size_t i = 0; i < pairs.rows.size(); ++i)
    if (isWanted(pairs.experts[i])) {
      some.rows.push_back(pairs.rows[i]);
      some.experts.push_back(pairs.experts[i]);
      some.weights.push_back(pairs.weights[i]);
    }
  return some;
}

struct Sums {
  std::vector<float> low, high;
  bool hasHigh = false;

  void add(const Sums& other) {
    for (size_t i = 0; i < low.size(); ++i) low[i] += other.low[i], high[i] += other.high[i];
    hasHigh = hasHigh || other.hasHigh;
  }
};

Sums exactSums(const ExpertLayer& layer, const KernelSet& kernels, const std::vector<float>& x, const Pairs& pairs, const std::vector<float>& units) {
  Sums sums{std::vector<float>(x.size(), NAN), std::vector<float>(x.size(), NAN)};
  ThreadTeam team(kernels, 2, std::chrono::microseconds(20));
  Workspace workspace;
  const ExpertCall call{{x.data(), x.size()},
                        {pairs.rows.data(), pairs.rows.size()},
                        {pairs.experts.data(), pairs.experts.size()},
                        {pairs.weights.data(), pairs.weights.size()},
                        {sums.low.data(), sums.low.size()},
                        {units.data(), units.size()},
                        {sums.high.data(), sums.high.size()}};
  layer.check(call);
  sums.hasHigh = layer.run(team, workspace, call);
  if (!sums.hasHigh) std::fill(sums.high.begin(), sums.high.end(), 0.0f);
  return sums;
}

/// However the experts are shared by workers, and whatever the order of these, their sums add up to the same bits.
void checkGrouping(const Case& c, float unit, bool hasHigh) {
  std::vector<ExpertWeights> experts;
  for (size_t i = 0; i < c.numExperts; ++i)
    experts.push_back({randomMatrix(2 * c.intermediate, c.hidden, c.bits, c.block), randomMatrix(c.hidden, c.intermediate, c.bits, c.block)});
  const auto x = randomFloats(c.numRows * c.hidden);
  const Pairs pairs = randomPairs(c);
  const std::vector<float> units(c.numRows, unit);
  const ExpertLayer layer(experts);
  double largest = 1e-3;
  for (const double value : expectedOf(c, experts, x, pairs)) largest = std::max(largest, std::fabs(value));
  for (const KernelSet* kernels : supportedKernelSets()) {
    const Sums all = exactSums(layer, *kernels, x, pairs, units);
    check(all.hasHigh == hasHigh, std::string(kernels->name) + ": terms have a high part or not");
    const auto plain = computed(layer, *kernels, 2, x, pairs);
    // Other kernels, whose last bits may take a value over the edge of a step of the int8 activations.
    for (size_t i = 0; i < plain.size(); ++i)
      checkNear(all.low[i] + all.high[i], plain[i], unit * kMaxExactTerms + 5e-3 * largest, std::string(kernels->name) + " exact sums");
    for (const size_t numWorkers : {2, 3, 5}) {
      Sums added{std::vector<float>(x.size()), std::vector<float>(x.size())};
      for (size_t worker = numWorkers; worker-- > 0;)
        added.add(exactSums(layer, *kernels, x, someOf(pairs, [&](size_t expert) { return expert * 7 % numWorkers == worker; }), units));
      check(added.low == all.low && added.high == all.high, std::string(kernels->name) + ": sums depend on how the experts are shared");
    }
  }
}

/// A term that no unit has room for is no number, instead of one that depends on the order.
void checkTooLarge() {
  const ExpertLayer layer({{randomMatrix(64, 64, 4, 32), randomMatrix(64, 32, 4, 32)}, {randomMatrix(64, 64, 4, 32), randomMatrix(64, 32, 4, 32)}});
  const Sums sums = exactSums(layer, kernelSetNamed(""), std::vector<float>(64, 1e18f), {{0, 0}, {0, 1}, {1e9f, 1e9f}}, {0x1p-100f});
  check(std::any_of(sums.low.begin(), sums.low.end(), [](float value) { return !std::isfinite(value); }), "a term beyond all units was summed");
}

}  // namespace

void testExperts() {
  checkGrouping({160, 96, 11, 7, 70, 4, 32}, 0x1p-16f, false);
  checkGrouping({160, 96, 11, 7, 70, 4, 32}, 0x1p-30f, true);
  checkGrouping({64, 48, 9, 12, 100, 32, 0}, 0x1p-16f, false);
  checkTooLarge();
  checkCase({64, 32, 5, 1, 3, 4, 32});
  checkCase({64, 32, 5, 3, 0, 4, 32});
  checkCase({160, 96, 4, 7, 40, 4, 32});
  checkCase({128, 192, 3, 30, 90, 8, 64});
  checkCase({256, 128, 2, 40, 140, 4, 128});
  checkCase({96, 64, 9, 11, 33, 8, 32});
  checkCase({40, 24, 3, 5, 9, 32, 0});
}

}  // namespace expertmesh::test
