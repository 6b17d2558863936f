// The dense layer and the head against plain arithmetic, over several sequences, and with other numbers of threads.
#include <algorithm>

#include "../core/dense-layer.hpp"
#include "../core/head.hpp"
#include "../core/isa.hpp"
#include "check.hpp"
#include "plain-kv.hpp"
#include "random-weights.hpp"
#include "reference.hpp"
#include "tests.hpp"

namespace expertmesh::test {

namespace {

constexpr float kEpsilon = 1e-6f;

const float* values(const StoredMatrix& stored) { return reinterpret_cast<const float*>(stored.matrix.weights); }

constexpr size_t kLayerIndex = 1, kNumLayers = 3;

/// A sequence's blocks with random tokens in them.
struct Cache {
  size_t numRows, length;
  PlainKv kv;

  Cache(PlainPool& pool, size_t numRows, size_t length) : numRows(numRows), length(length), kv(pool, length + numRows) {
    const size_t dim = pool.layout.headDim;
    for (size_t head = 0; head < pool.layout.numKvHeads; ++head)
      for (size_t token = 0; token < length; ++token) {
        const auto row = randomFloats(2 * dim);
        kv.store(kLayerIndex, head, token, row.data(), row.data() + dim);
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
                 const Inputs& in, const KvLayout& kv, const std::vector<Cache>& caches) {
  const size_t numRows = in.hidden.size() / shape.hidden;
  Outputs out{std::vector<float>(in.hidden.size()), std::vector<float>(topK > 0 ? in.hidden.size() : 0),
              std::vector<float>(numRows * topK), std::vector<float>(topK > 0 ? kNumExperts : 0, 7.0f),
              std::vector<int32_t>(numRows * topK)};
  DenseCall call{{in.hidden.data(), in.hidden.size()}, {in.cos.data(), in.cos.size()}, {in.sin.data(), in.sin.size()}, kv, {},
                 {out.residual.data(), out.residual.size()}, {out.normed.data(), out.normed.size()},
                 {out.expertIds.data(), out.expertIds.size()}, {out.routingWeights.data(), out.routingWeights.size()},
                 {out.probabilitySums.data(), out.probabilitySums.size()}};
  for (const Cache& cache : caches) call.sequences.push_back({cache.numRows, cache.length, cache.kv.blocks()});
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
std::vector<float> attended(const float* query, const PlainKv& kv, size_t kvHead, size_t last, size_t dim) {
  std::vector<double> weights, mixed(dim);
  double most = -1e30, sum = 0;
  for (size_t t = 0; t <= last; ++t) {
    double score = 0;
    const auto key = kv.key(kLayerIndex, kvHead, t);
    for (size_t i = 0; i < dim; ++i) score += double{query[i]} * key[i];
    weights.push_back(score / std::sqrt(static_cast<double>(dim)));
    most = std::max(most, weights.back());
  }
  for (double& weight : weights) sum += weight = std::exp(weight - most);
  for (size_t t = 0; t <= last; ++t) {
    const auto value = kv.value(kLayerIndex, kvHead, t);
    for (size_t i = 0; i < dim; ++i) mixed[i] += weights[t] / sum * value[i];
  }
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
      for (size_t head = 0; head < s.numKvHeads; ++head)
        cache.kv.store(kLayerIndex, head, cache.length + r, q + s.qSize() + head * d, q + s.qSize() + s.kvSize() + head * d);
      for (size_t head = 0; head < s.numHeads; ++head) {
        const auto mixed = attended(q + head * d, cache.kv, head / (s.numHeads / s.numKvHeads), cache.length + r, d);
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

/// One behind another, of all rows.
std::vector<float> newTokens(const std::vector<Cache>& caches, size_t numKvHeads) {
  std::vector<float> all;
  for (const Cache& cache : caches)
    for (size_t head = 0; head < numKvHeads; ++head)
      for (size_t token = cache.length; token < cache.length + cache.numRows; ++token)
        for (const auto& row : {cache.kv.key(kLayerIndex, head, token), cache.kv.value(kLayerIndex, head, token)})
          all.insert(all.end(), row.begin(), row.end());
  return all;
}

void checkLayer(const AttentionShape& s, KvDtype dtype, size_t bits, size_t block, bool hasBias, bool hasExperts) {
  const size_t topK = hasExperts ? 3 : 0, intermediate = 96;
  DenseLayerWeights w{randomVector(s.hidden), randomMatrix(s.qkvSize(), s.hidden, bits, block), {}, randomVector(s.headDim), randomVector(s.headDim),
                      randomMatrix(s.hidden, s.qSize(), bits, block), {}, randomVector(s.hidden), {}, {}, {}};
  if (hasBias) w.qkvBias = randomVector(s.qkvSize());
  if (hasBias) w.oBias = randomVector(s.hidden);
  if (hasExperts) w.router = randomMatrix(kNumExperts, s.hidden, 32, 0);
  else w.gateUp = randomMatrix(2 * intermediate, s.hidden, bits, block), w.down = randomMatrix(s.hidden, intermediate, bits, block);
  const DenseLayer layer(s, w, {topK, false});
  PlainPool pool({dtype, kNumLayers, s.numKvHeads, s.headDim}, 80, 3);
  std::vector<Cache> caches;
  const size_t rowsAndLengths[][2] = {{1, 40}, {9, 0}, {1, 0}, {70, 33}, {1, 1100}, {3, 610}};
  size_t numRows = 0;
  for (const auto& [rows, length] : rowsAndLengths) {
    caches.emplace_back(pool, rows, length);
    numRows += rows;
  }
  const Inputs in{randomFloats(numRows * s.hidden), randomFloats(numRows * s.headDim / 2), randomFloats(numRows * s.headDim / 2)};
  const auto before = pool.bytes();
  auto expected = expectedResidual(s, w, in, caches);
  const auto expectedTokens = newTokens(caches, s.numKvHeads);
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
    pool.restore(before);
    const auto out = computed(layer, s, topK, *kernels, 1, in, pool.layout, caches);
    const std::string what = std::string(kernels->name) + " dense layer, KV " + nameOf(dtype);
    checkClose(out.residual, expected, hasExperts ? 1e-2 : 3e-2, what + " residual");
    // A value at the edge of a step of the dtype may fall to the other side.
    const double step = dtype == KvDtype::kFp32 ? 1e-4 : (dtype == KvDtype::kFp16 ? 1e-3 : 1e-2);
    checkClose(newTokens(caches, s.numKvHeads), expectedTokens, step, what + " new tokens");
    const auto after = pool.bytes();
    if (hasExperts) {
      checkClose(out.normed, normed(out.residual, values(w.postNorm), s.hidden, s.epsilon), 1e-5, what + " normed");
      checkRouting(s, w, out, topK, what);
    }
    for (const size_t numThreads : {2, 4}) {
      pool.restore(before);
      check(computed(layer, s, topK, *kernels, numThreads, in, pool.layout, caches) == out, what + " depends on the number of threads");
      check(pool.bytes() == after, what + " leaves blocks that depend on the number of threads");
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
  checkLayer({kLayerIndex, 64, 4, 2, 32, kEpsilon}, KvDtype::kFp32, 8, 32, false, true);
  checkLayer({kLayerIndex, 64, 8, 1, 16, kEpsilon}, KvDtype::kFp16, 4, 64, true, true);
  checkLayer({kLayerIndex, 96, 4, 4, 24, kEpsilon}, KvDtype::kInt8, 8, 32, true, false);
  checkLayer({kLayerIndex, 128, 2, 1, 128, kEpsilon}, KvDtype::kFp16, 4, 32, false, false);
  for (const KvDtype dtype : kAllKvDtypes) checkLayer({kLayerIndex, 32, 6, 3, 10, kEpsilon}, dtype, 32, 0, true, true);
  checkHead();
}

}  // namespace expertmesh::test
