// The dense layer and the head against plain arithmetic, over several sequences, and with other numbers of threads.
#include <algorithm>

#include "../core/dense-layer.hpp"
#include "../core/head.hpp"
#include "../core/isa.hpp"
#include "check.hpp"
#include "random-weights.hpp"
#include "reference.hpp"
#include "tests.hpp"

namespace expertmesh::test {

namespace {

constexpr float kEpsilon = 1e-6f;

const float* values(const StoredMatrix& stored) { return reinterpret_cast<const float*>(stored.matrix.weights); }

/// A sequence's cache with random tokens in it.
struct Cache {
  size_t numRows, capacity, length;
  std::vector<float> keys, values;

  Cache(const AttentionShape& shape, size_t numRows, size_t capacity, size_t length)
      : numRows(numRows), capacity(capacity), length(length), keys(shape.kvSize() * capacity, NAN), values(keys) {
    for (size_t head = 0; head < shape.numKvHeads; ++head)
      for (size_t i = 0; i < length * shape.headDim; ++i) {
        keys[head * capacity * shape.headDim + i] = randomFloats(1)[0];
        values[head * capacity * shape.headDim + i] = randomFloats(1)[0];
      }
  }
};

struct Outputs {
  std::vector<float> residual, normed, routingWeights, probabilitySums;
  std::vector<int32_t> expertIds;
  bool operator==(const Outputs& other) const {
    return residual == other.residual && normed == other.normed && routingWeights == other.routingWeights && expertIds == other.expertIds && probabilitySums == other.probabilitySums;
  }
};

constexpr size_t kNumExperts = 13;

struct Inputs {
  std::vector<float> hidden, cos, sin;
};

Outputs computed(const DenseLayer& layer, const AttentionShape& shape, size_t topK, const KernelSet& kernels, size_t numThreads,
                 const Inputs& in, std::vector<Cache>& caches) {
  const size_t numRows = in.hidden.size() / shape.hidden;
  Outputs out{std::vector<float>(in.hidden.size()), std::vector<float>(topK > 0 ? in.hidden.size() : 0),
              std::vector<float>(numRows * topK), std::vector<float>(topK > 0 ? kNumExperts : 0, 7.0f),
              std::vector<int32_t>(numRows * topK)};
  DenseCall call{{in.hidden.data(), in.hidden.size()}, {in.cos.data(), in.cos.size()}, {in.sin.data(), in.sin.size()}, {},
                 {out.residual.data(), out.residual.size()}, {out.normed.data(), out.normed.size()},
                 {out.expertIds.data(), out.expertIds.size()}, {out.routingWeights.data(), out.routingWeights.size()},
                 {out.probabilitySums.data(), out.probabilitySums.size()}};
  for (Cache& cache : caches)
    call.sequences.push_back({cache.numRows, {cache.keys.data(), cache.keys.size()}, {cache.values.data(), cache.values.size()}, cache.capacity, cache.length});
  ThreadTeam team(kernels, numThreads, std::chrono::microseconds(20));
  Workspace workspace;
  layer.check(call);
  layer.run(team, workspace, call);
  return out;
}

void rotate(float* head, const float* cos, const float* sin, size_t dim) {
  for (size_t i = 0; i < dim / 2; ++i) {
    const float a = head[i], b = head[dim / 2 + i];
    head[i] = a * cos[i] - b * sin[i];
    head[dim / 2 + i] = b * cos[i] + a * sin[i];
  }
}

/// Attention of one query over tokens 0 .. last.
std::vector<float> attended(const float* query, const float* keys, const float* vals, size_t last, size_t dim) {
  std::vector<double> weights, mixed(dim);
  double most = -1e30, sum = 0;
  for (size_t t = 0; t <= last; ++t) {
    double score = 0;
    for (size_t i = 0; i < dim; ++i) score += double{query[i]} * keys[t * dim + i];
    weights.push_back(score / std::sqrt(static_cast<double>(dim)));
    most = std::max(most, weights.back());
  }
  for (double& weight : weights) sum += weight = std::exp(weight - most);
  for (size_t t = 0; t <= last; ++t)
    for (size_t i = 0; i < dim; ++i) mixed[i] += weights[t] / sum * vals[t * dim + i];
  return {mixed.begin(), mixed.end()};
}

void addBias(std::vector<float>& x, const std::optional<StoredMatrix>& bias) {
  for (size_t i = 0; bias && i < x.size(); ++i) x[i] += values(*bias)[i % bias->matrix.in];
}

/// Residual after attention; writes the caches.
std::vector<float> expectedResidual(const AttentionShape& s, const DenseLayerWeights& w, const Inputs& in, std::vector<Cache>& caches) {
  const size_t d = s.headDim;
  auto qkv = product(w.qkv.matrix, normed(in.hidden, values(w.inputNorm), s.hidden, s.epsilon));
  addBias(qkv, w.qkvBias);
  std::vector<float> context;
  size_t row = 0;
  for (Cache& cache : caches)
    for (size_t r = 0; r < cache.numRows; ++r, ++row) {
      float* q = qkv.data() + row * s.qkvSize();
      for (size_t head = 0; head < s.numHeads + s.numKvHeads; ++head) {
        const auto n = normed({q + head * d, q + head * d + d}, values(head < s.numHeads ? w.qNorm : w.kNorm), d, s.epsilon);
        std::copy(n.begin(), n.end(), q + head * d);
        rotate(q + head * d, in.cos.data() + row * d / 2, in.sin.data() + row * d / 2, d);
      }
      for (size_t head = 0; head < s.numKvHeads; ++head) {
        const size_t at = (head * cache.capacity + cache.length + r) * d;
        std::copy_n(q + s.qSize() + head * d, d, cache.keys.data() + at);
        std::copy_n(q + s.qSize() + s.kvSize() + head * d, d, cache.values.data() + at);
      }
      for (size_t head = 0; head < s.numHeads; ++head) {
        const size_t at = head / (s.numHeads / s.numKvHeads) * cache.capacity * d;
        const auto mixed = attended(q + head * d, cache.keys.data() + at, cache.values.data() + at, cache.length + r, d);
        context.insert(context.end(), mixed.begin(), mixed.end());
      }
    }
  auto residual = product(w.o.matrix, context);
  addBias(residual, w.oBias);
  for (size_t i = 0; i < residual.size(); ++i) residual[i] += in.hidden[i];
  return residual;
}

/// As a share of the largest value: rounding of activations to int8 can fall to either side.
void checkClose(const std::vector<float>& actual, const std::vector<float>& expected, double share, const std::string& what) {
  double largest = 1e-3;
  for (const float value : expected) largest = std::max(largest, std::fabs(double{value}));
  check(actual.size() == expected.size(), what + ": sizes differ");
  for (size_t i = 0; i < actual.size(); ++i) checkNear(actual[i], expected[i], share * largest, what);
}

void checkRouting(const AttentionShape& s, const DenseLayerWeights& w, const Outputs& out, size_t topK, const std::string& what) {
  const auto logits = product(w.router->matrix, out.normed);
  const size_t numExperts = w.router->matrix.out;
  std::vector<float> sums(numExperts);
  for (size_t row = 0; row < out.normed.size() / s.hidden; ++row) {
    double all = 0, top = 0;
    for (size_t e = 0; e < numExperts; ++e) all += std::exp(double{logits[row * numExperts + e]});
    for (size_t i = 0; i < topK; ++i) {
      const auto id = static_cast<size_t>(out.expertIds[row * topK + i]);
      const double probability = std::exp(double{logits[row * numExperts + id]}) / all;
      top += out.routingWeights[row * topK + i];
      checkNear(out.routingWeights[row * topK + i], probability, 1e-5, what + " routing weight");
      check(i == 0 || out.routingWeights[row * topK + i] <= out.routingWeights[row * topK + i - 1], what + " order of experts");
    }
    for (size_t e = 0; e < numExperts; ++e) sums[e] += static_cast<float>(std::exp(double{logits[row * numExperts + e]}) / all);
    size_t numLarger = 0;
    const double least = out.routingWeights[row * topK + topK - 1];
    for (size_t e = 0; e < numExperts; ++e) numLarger += std::exp(double{logits[row * numExperts + e]}) / all > least + 1e-6;
    check(numLarger < topK, what + " left out a larger expert");
    check(top <= 1 + 1e-5, what + " weights");
  }
  checkClose(out.probabilitySums, sums, 1e-5, what + " probability sums");
}

void checkLayer(const AttentionShape& s, size_t bits, size_t block, bool hasBias, bool hasExperts) {
  const size_t topK = hasExperts ? 3 : 0, intermediate = 96;
  DenseLayerWeights w{randomVector(s.hidden), randomMatrix(s.qkvSize(), s.hidden, bits, block), {}, randomVector(s.headDim), randomVector(s.headDim),
                      randomMatrix(s.hidden, s.qSize(), bits, block), {}, randomVector(s.hidden), {}, {}, {}};
  if (hasBias) w.qkvBias = randomVector(s.qkvSize());
  if (hasBias) w.oBias = randomVector(s.hidden);
  if (hasExperts) w.router = randomMatrix(kNumExperts, s.hidden, 32, 0);
  else w.gateUp = randomMatrix(2 * intermediate, s.hidden, bits, block), w.down = randomMatrix(s.hidden, intermediate, bits, block);
  const DenseLayer layer(s, w, {topK, false});
  std::vector<Cache> caches{{s, 1, 64, 40}, {s, 9, 16, 0}, {s, 1, 1, 0}, {s, 70, 140, 33}};
  const size_t numRows = 81;
  const Inputs in{randomFloats(numRows * s.hidden), randomFloats(numRows * s.headDim / 2), randomFloats(numRows * s.headDim / 2)};
  auto expectedCaches = caches;
  auto expected = expectedResidual(s, w, in, expectedCaches);
  if (!hasExperts) {
    const auto both = product(w.gateUp->matrix, normed(expected, values(w.postNorm), s.hidden, s.epsilon));
    std::vector<float> inner;
    for (size_t row = 0; row < numRows; ++row) {
      const auto silu = siluTimes(both.data() + row * 2 * intermediate, both.data() + row * 2 * intermediate + intermediate, intermediate);
      inner.insert(inner.end(), silu.begin(), silu.end());
    }
    const auto y = product(w.down->matrix, inner);
    for (size_t i = 0; i < y.size(); ++i) expected[i] += y[i];
  }
  for (const KernelSet* kernels : supportedKernelSets()) {
    auto used = caches;
    const auto out = computed(layer, s, topK, *kernels, 1, in, used);
    const std::string what = std::string(kernels->name) + " dense layer";
    checkClose(out.residual, expected, hasExperts ? 1e-2 : 3e-2, what + " residual");
    for (size_t i = 0; i < caches.size(); ++i)
      for (size_t head = 0; head < s.numKvHeads; ++head) {
        const auto from = static_cast<std::ptrdiff_t>(head * used[i].capacity * s.headDim);
        const auto to = from + static_cast<std::ptrdiff_t>((used[i].length + used[i].numRows) * s.headDim);
        checkClose({used[i].keys.begin() + from, used[i].keys.begin() + to}, {expectedCaches[i].keys.begin() + from, expectedCaches[i].keys.begin() + to}, 1e-4, what + " keys");
        checkClose({used[i].values.begin() + from, used[i].values.begin() + to}, {expectedCaches[i].values.begin() + from, expectedCaches[i].values.begin() + to}, 1e-4, what + " values");
      }
    if (hasExperts) {
      checkClose(out.normed, normed(out.residual, values(w.postNorm), s.hidden, s.epsilon), 1e-5, what + " normed");
      checkRouting(s, w, out, topK, what);
    }
    for (const size_t numThreads : {2, 4}) {
      auto again = caches;
      check(computed(layer, s, topK, *kernels, numThreads, in, again) == out, what + " depends on the number of threads");
    }
  }
}

void checkHead() {
  const StoredMatrix norm = randomVector(96), lmHead = randomMatrix(301, 96, 4, 32);
  const Head head(norm, lmHead, kEpsilon);
  const auto x = randomFloats(3 * 96, 2);
  const auto expected = product(lmHead.matrix, normed(x, values(norm), 96, kEpsilon));
  for (const KernelSet* kernels : supportedKernelSets()) {
    std::vector<float> logits(3 * 301);
    ThreadTeam team(*kernels, 2, std::chrono::microseconds(20));
    Workspace workspace;
    head.check({x.data(), x.size()}, {logits.data(), logits.size()});
    head.run(team, workspace, {x.data(), x.size()}, {logits.data(), logits.size()});
    checkClose(logits, expected, 1e-2, std::string(kernels->name) + " head");
  }
}

}  // namespace

void testDense() {
  checkLayer({64, 4, 2, 32, kEpsilon}, 8, 32, false, true);
  checkLayer({64, 8, 1, 16, kEpsilon}, 4, 64, true, true);
  checkLayer({96, 4, 4, 24, kEpsilon}, 8, 32, true, false);
  checkLayer({128, 2, 1, 128, kEpsilon}, 4, 32, false, false);
  checkLayer({32, 6, 3, 10, kEpsilon}, 32, 0, true, true);
  checkHead();
}

}  // namespace expertmesh::test
