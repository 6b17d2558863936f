// Random wrong sizes, offsets and indices: refused, or harmless. The sanitizers see what is not.
#include "../core/dense-layer.hpp"
#include "../core/expert-layer.hpp"
#include "../core/head.hpp"
#include "../core/isa.hpp"
#include "../core/require.hpp"
#include "check.hpp"
#include "plain-kv.hpp"
#include "random-weights.hpp"
#include "tests.hpp"

namespace expertmesh::test {

namespace {

constexpr int kRounds = 3000;

/// Mostly small, sometimes the right value, sometimes absurd.
size_t odd(size_t right) {
  switch (randomBelow(6)) {
    case 0: return right;
    case 1: return right + randomBelow(3) - 1;
    case 2: return randomBelow(200);
    case 3: return ~size_t{0} - randomBelow(100);
    case 4: return size_t{1} << randomBelow(64);
    default: return right;
  }
}

void fuzzMatrices() {
  const auto file = mapped(std::vector<uint8_t>(5000));
  const std::vector<float> x(64, 1);
  std::vector<float> y(3);
  ThreadTeam team(kernelSetNamed(""), 1, std::chrono::microseconds(0));
  Workspace workspace;
  int numAccepted = 0;
  for (int i = 0; i < kRounds; ++i) {
    try {
      const bool isQuantised = randomBelow(2) == 0;
      const Matrix matrix = isQuantised ? file->quantised(odd(0), odd(4096), odd(3), odd(64), odd(4), odd(32)) : file->fp32(odd(0), odd(3), odd(64));
      const Linear linear({file, matrix});
      linear.check({x.data(), x.size()}, {y.data(), y.size()});
      linear.run(team, workspace, {x.data(), x.size()}, {y.data(), y.size()});
      ++numAccepted;
    } catch (const std::exception&) {
    }
  }
  check(numAccepted > 0, "the fuzzer never made a valid matrix");
}

void fuzzExperts() {
  std::vector<ExpertWeights> experts;
  for (int i = 0; i < 3; ++i) experts.push_back({randomMatrix(64, 64, 4, 32), randomMatrix(64, 32, 4, 32)});
  const ExpertLayer layer(experts);
  const std::vector<float> rows(4 * 64, 1), weights(8, 1);
  std::vector<float> out(4 * 64), high(4 * 64), units(4, 0x1p-18f);
  ThreadTeam team(kernelSetNamed(""), 2, std::chrono::microseconds(0));
  Workspace workspace;
  int numAccepted = 0;
  for (int i = 0; i < kRounds; ++i) {
    std::vector<uint32_t> pairRows(8), pairExperts(8);
    for (size_t p = 0; p < 8; ++p) {
      pairRows[p] = static_cast<uint32_t>(randomBelow(20) == 0 ? odd(3) : randomBelow(4));
      pairExperts[p] = static_cast<uint32_t>(randomBelow(20) == 0 ? odd(2) : p / 3);
    }
    const bool withUnits = randomBelow(2) == 0;
    units[0] = randomBelow(8) == 0 ? randomFloats(1)[0] : 0x1p-20f;
    // Claims no more than is there: a Span comes from an array's own length.
    const auto atMost = [](size_t n) { return randomBelow(4) == 0 ? randomBelow(n + 1) : n; };
    const ExpertCall call{{rows.data(), atMost(rows.size())}, {pairRows.data(), atMost(8)}, {pairExperts.data(), atMost(8)}, {weights.data(), atMost(8)}, {out.data(), atMost(out.size())}, {units.data(), withUnits ? atMost(4) : 0}, {high.data(), withUnits ? atMost(high.size()) : 0}};
    try {
      layer.check(call);
      layer.run(team, workspace, call);
      ++numAccepted;
    } catch (const InvalidArgument&) {
    }
  }
  check(numAccepted > 0, "the fuzzer never made a valid expert call");
  checkRefused("experts of different shapes", [&] {
    auto unlike = experts;
    unlike[1].down = randomMatrix(64, 64, 4, 32);
    ExpertLayer{unlike};
  });
  checkRefused("no expert", [] { ExpertLayer{std::vector<ExpertWeights>{}}; });
}

/// Mostly the layout itself.
KvLayout oddLayout(const KvLayout& right) {
  if (randomBelow(8) != 0) return right;
  return {right.dtype, odd(right.numLayers) % 3, odd(right.numKvHeads), odd(right.headDim)};
}

/// Two blocks of a sequence, or as many as the pool would give for other ids.
size_t appendOddBlocks(const KvPool& pool, size_t sequence, std::vector<uint8_t*>& blocks) {
  const size_t before = blocks.size();
  const size_t count = randomBelow(6) == 0 ? randomBelow(4) : 2;
  for (size_t i = 0; i < count; ++i) {
    const auto id = static_cast<int32_t>(randomBelow(8) == 0 ? odd(1) : sequence * 2 + i);
    try {
      pool.appendBlocks({&id, 1}, blocks);
    } catch (const InvalidArgument&) {
    }
  }
  return blocks.size() - before;
}

void fuzzDense() {
  const AttentionShape shape{1, 32, 2, 1, 16, 1e-6f};
  const DenseLayerWeights weights{randomVector(32), randomMatrix(64, 32, 4, 32), {}, randomVector(16), randomVector(16), randomMatrix(32, 32, 4, 32), {}, randomVector(32), randomMatrix(5, 32, 32, 0), {}, {}};
  const DenseLayer layer(shape, weights, {2, true});
  const std::vector<float> hidden(3 * 32, 1), angles(3 * 8, 0.5f);
  std::vector<float> residual(3 * 32), normed(3 * 32), routing(6), sums(5);
  std::vector<int32_t> ids(6);
  const KvLayout layout{KvDtype::kInt8, 2, 1, 16};
  PlainPool pool(layout, 8);
  ThreadTeam team(kernelSetNamed(""), 2, std::chrono::microseconds(0));
  Workspace workspace;
  int numAccepted = 0;
  for (int i = 0; i < kRounds; ++i) {
    const auto atMost = [](size_t n) { return randomBelow(12) == 0 ? randomBelow(n + 1) : n; };
    DenseCall call{{hidden.data(), atMost(96)}, {angles.data(), atMost(24)}, {angles.data(), atMost(24)}, oddLayout(layout), {}, {residual.data(), atMost(96)}, {normed.data(), atMost(96)}, {ids.data(), atMost(6)}, {routing.data(), atMost(6)}, {sums.data(), atMost(5)}};
    const size_t split = randomBelow(3);
    std::vector<uint8_t*> blocks;
    std::vector<size_t> numBlocks;
    for (const size_t numRows : {split, 3 - split}) {
      if (numRows == 0) continue;
      call.sequences.push_back({randomBelow(8) == 0 ? odd(numRows) : numRows, randomBelow(4) == 0 ? odd(5) : 40, {}});
      numBlocks.push_back(appendOddBlocks(*pool.pool, call.sequences.size(), blocks));
    }
    uint8_t* const* first = blocks.data();
    for (size_t j = 0; j < numBlocks.size(); ++j, first += numBlocks[j - 1]) call.sequences[j].blocks = {first, numBlocks[j]};
    try {
      layer.check(call);
      layer.run(team, workspace, call);
      ++numAccepted;
    } catch (const InvalidArgument&) {
    }
  }
  check(numAccepted > 0, "the fuzzer never made a valid dense call");
  for (int i = 0; i < kRounds; ++i) {
    try {
      const AttentionShape oddShape{odd(1), odd(32), odd(2), odd(1), odd(16), 1e-6f};
      DenseLayer{oddShape, weights, {odd(2), true}};
    } catch (const InvalidArgument&) {
    }
  }
}

}  // namespace

void testFuzz() {
  fuzzMatrices();
  fuzzExperts();
  fuzzDense();
}

}  // namespace expertmesh::test
