// Layers in one call against the same layers call by call: the same bits, also in the caches.
#include "../core/exact-sum.hpp"
#include "../core/isa.hpp"
#include "../core/require.hpp"
#include "../core/whole-layers.hpp"
#include "check.hpp"
#include "plain-kv.hpp"
#include "random-weights.hpp"
#include "tests.hpp"

namespace expertmesh::test {

namespace {

constexpr AttentionShape shapeOf(size_t layerIndex) { return {layerIndex, 64, 4, 2, 32, 1e-6f}; }
constexpr AttentionShape kShape = shapeOf(0);
constexpr size_t kNumExperts = 7, kTopK = 3, kIntermediate = 32;
/// Rows of the sequences.
constexpr size_t kRows[] = {1, 5}, kNumRows = 6;

template <class T>
Span<T> spanOf(std::vector<T>& values) {
  return {values.data(), values.size()};
}

struct Layer {
  std::shared_ptr<const DenseLayer> dense;
  std::shared_ptr<const ExpertLayer> experts;
};

Layer randomLayer(size_t layerIndex, bool hasExperts, size_t numExperts = kNumExperts) {
  DenseLayerWeights w{randomVector(64), randomMatrix(kShape.qkvSize(), 64, 4, 32), {}, randomVector(32), randomVector(32),
                      randomMatrix(64, kShape.qSize(), 4, 32), {}, randomVector(64), {}, {}, {}};
  if (hasExperts) w.router = randomMatrix(kNumExperts, 64, 32, 0);
  else w.gateUp = randomMatrix(2 * kIntermediate, 64, 8, 32), w.down = randomMatrix(64, kIntermediate, 8, 32);
  std::vector<ExpertWeights> experts;
  for (size_t i = 0; i < numExperts; ++i)
    experts.push_back({randomMatrix(2 * kIntermediate, 64, 4, 32), randomMatrix(64, kIntermediate, 4, 32)});
  return {std::make_shared<const DenseLayer>(shapeOf(layerIndex), std::move(w), RoutingShape{hasExperts ? kTopK : 0, true}),
          hasExperts ? std::make_shared<const ExpertLayer>(std::move(experts)) : nullptr};
}

/// Everything that a pass reads and writes.
struct Pass {
  std::vector<float> hidden, cos, sin;
  std::vector<float> residual = std::vector<float>(kNumRows * 64), normed = residual, routingWeights = std::vector<float>(kNumRows * kTopK);
  /// Of one layer.
  std::vector<int32_t> expertIds = std::vector<int32_t>(kNumRows * kTopK);
  std::vector<float> probabilitySums = std::vector<float>(kNumExperts);
  /// Of all layers with experts.
  std::vector<int32_t> allExpertIds;
  std::vector<float> allRoutingWeights;
  std::vector<float> allProbabilitySums;
  std::shared_ptr<PlainPool> pool;
  std::vector<PlainKv> caches;
  bool areSumsExact = false;

  explicit Pass(size_t numLayers)
      : hidden(randomFloats(kNumRows * 64)), cos(randomFloats(kNumRows * 16)), sin(randomFloats(kNumRows * 16)),
        pool(std::make_shared<PlainPool>(KvLayout{KvDtype::kFp16, numLayers, kShape.numKvHeads, kShape.headDim}, 2)) {
    for (const size_t numRows : kRows) caches.emplace_back(*pool, numRows + 1);
    for (size_t layer = 0; layer < numLayers; ++layer)
      for (size_t head = 0; head < kShape.numKvHeads; ++head) {
        const auto row = randomFloats(2 * kShape.headDim);
        caches[1].store(layer, head, 0, row.data(), row.data() + kShape.headDim);
      }
  }

  /// The first is new, the second has a token already.
  std::vector<SequenceRows> sequences() const {
    std::vector<SequenceRows> result;
    for (size_t i = 0; i < 2; ++i) result.push_back({kRows[i], i, caches[i].blocks()});
    return result;
  }

  WholeLayersCall call(const std::vector<Layer>& layers) {
    WholeLayersCall result{{}, pool->layout, sequences(), spanOf(hidden), {cos.data(), cos.size()}, {sin.data(), sin.size()}, spanOf(residual), spanOf(normed), {}, {}, {}, areSumsExact};
    size_t numWithExperts = 0;
    for (size_t i = 0; i < layers.size(); ++i) {
      result.layers.push_back({layers[i].dense, layers[i].experts});
      numWithExperts += layers[i].experts != nullptr;
    }
    allExpertIds.resize(numWithExperts * expertIds.size());
    allRoutingWeights.resize(numWithExperts * routingWeights.size());
    allProbabilitySums.resize(numWithExperts * probabilitySums.size());
    result.expertIds = spanOf(allExpertIds);
    result.routingWeights = spanOf(allRoutingWeights);
    result.probabilitySums = spanOf(allProbabilitySums);
    return result;
  }
};

void addExpertsOneByOne(ThreadTeam& team, Workspace& workspace, Pass& pass, const ExpertLayer& layer) {
  std::vector<uint32_t> rows, experts;
  std::vector<float> weights, sums(pass.residual.size());
  for (uint32_t expert = 0; expert < kNumExperts; ++expert)
    for (uint32_t i = 0; i < kNumRows * kTopK; ++i)
      if (pass.expertIds[i] == static_cast<int32_t>(expert)) {
        rows.push_back(i / kTopK);
        experts.push_back(expert);
        weights.push_back(pass.routingWeights[i]);
      }
  std::vector<float> units, high(pass.areSumsExact ? sums.size() : 0);
  for (size_t row = 0; row < kNumRows && pass.areSumsExact; ++row) units.push_back(sumUnit(&pass.residual[row * 64], 64));
  const bool hasHigh = layer.run(team, workspace, {{pass.normed.data(), pass.normed.size()}, {rows.data(), rows.size()}, {experts.data(), experts.size()}, {weights.data(), weights.size()}, spanOf(sums), {units.data(), units.size()}, spanOf(high)});
  for (size_t i = 0; i < sums.size(); ++i) pass.residual[i] += hasHigh ? sums[i] + high[i] : sums[i];
}

void runLayerByLayer(ThreadTeam& team, Workspace& workspace, Pass& pass, const std::vector<Layer>& layers) {
  for (size_t i = 0; i < layers.size(); ++i) {
    DenseCall call{{pass.hidden.data(), pass.hidden.size()}, {pass.cos.data(), pass.cos.size()}, {pass.sin.data(), pass.sin.size()}, pass.pool->layout, pass.sequences(), spanOf(pass.residual), {}, {}, {}, {}};
    if (layers[i].experts) {
      call.normed = spanOf(pass.normed), call.expertIds = spanOf(pass.expertIds), call.routingWeights = spanOf(pass.routingWeights);
      call.probabilitySums = spanOf(pass.probabilitySums);
    }
    layers[i].dense->run(team, workspace, call);
    if (layers[i].experts) {
      addExpertsOneByOne(team, workspace, pass, *layers[i].experts);
      pass.allExpertIds.insert(pass.allExpertIds.end(), pass.expertIds.begin(), pass.expertIds.end());
      pass.allRoutingWeights.insert(pass.allRoutingWeights.end(), pass.routingWeights.begin(), pass.routingWeights.end());
      pass.allProbabilitySums.insert(pass.allProbabilitySums.end(), pass.probabilitySums.begin(), pass.probabilitySums.end());
    }
    std::swap(pass.hidden, pass.residual);
  }
}

void checkWhole(const std::vector<Layer>& layers, bool areSumsExact) {
  Pass begin(layers.size());
  begin.areSumsExact = areSumsExact;
  const auto before = begin.pool->bytes();
  for (const KernelSet* kernels : supportedKernelSets()) {
    ThreadTeam team(*kernels, 2, std::chrono::microseconds(20), areSumsExact ? Numerics::kInvariant : Numerics::kFast);
    Workspace workspace;
    Pass whole = begin, single = begin;
    const WholeLayersCall call = whole.call(layers);
    checkWholeLayers(call);
    const WholeLayersTimes times = computeWholeLayers(team, workspace, call);
    const auto after = begin.pool->bytes();
    begin.pool->restore(before);
    runLayerByLayer(team, workspace, single, layers);
    check(whole.hidden == single.hidden, std::string(kernels->name) + " whole layers differ from single ones");
    check(whole.allExpertIds == single.allExpertIds && whole.allRoutingWeights == single.allRoutingWeights && whole.allProbabilitySums == single.allProbabilitySums,
          std::string(kernels->name) + " whole layers tell other routes");
    check(begin.pool->bytes() == after, std::string(kernels->name) + " whole layers left other blocks");
    begin.pool->restore(before);
    check(times.dense > 0 && times.experts > 0, "whole layers counted no time");
  }
}

}  // namespace

void testWholeLayers() {
  for (const std::vector<bool>& hasExperts : {std::vector<bool>{true, false, true}, std::vector<bool>{true, true}}) {
    std::vector<Layer> layers;
    for (const bool has : hasExperts) layers.push_back(randomLayer(layers.size(), has));
    for (const bool areSumsExact : {false, true}) checkWhole(layers, areSumsExact);
  }
  Pass pass(1);
  checkRefused("experts for a layer without a router", [&] { checkWholeLayers(pass.call({{randomLayer(0, false).dense, randomLayer(0, true).experts}})); });
  checkRefused("a layer without its experts", [&] { checkWholeLayers(pass.call({{randomLayer(0, true).dense, nullptr}})); });
  checkRefused("a layer with too few experts", [&] {
    ThreadTeam team(kernelSetNamed(""), 1, std::chrono::microseconds(0));
    Workspace workspace;
    computeWholeLayers(team, workspace, pass.call({randomLayer(0, true, 1)}));
  });
}

}  // namespace expertmesh::test
