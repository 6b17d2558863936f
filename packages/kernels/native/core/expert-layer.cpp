#include "expert-layer.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "exact-sum.hpp"
#include "limits.hpp"
#include "require.hpp"

namespace expertmesh {

namespace {

/// Pairs that share one reading (and transposition) of the weights; bounds the scratch memory.
constexpr size_t kMaxGroupPairs = 64;
/// Tiles of a matrix that one thread computes before it goes on to another matrix: enough to be read in one go.
constexpr size_t kMaxGrain = 16;

size_t numTiles(size_t rows) { return (rows + kTileRows - 1) / kTileRows; }

size_t fairGrain(size_t count, size_t numThreads) { return std::clamp(count / (numThreads * 8), size_t{1}, kMaxGrain); }

/// Sums cannot be the same, however the experts are shared, unless their terms are.
Numerics numericsOf(const ExpertCall& call) { return call.sumUnits.size == 0 ? Numerics::kFast : Numerics::kInvariant; }

}  // namespace

ExpertLayer::ExpertLayer(std::vector<ExpertWeights> experts) : experts_(std::move(experts)) {
  requireRange("the number of experts", experts_.size(), 1, kMaxRows);
  const Matrix& gateUp = experts_.front().gateUp.matrix;
  const Matrix& down = experts_.front().down.matrix;
  hidden_ = gateUp.in;
  intermediate_ = down.in;
  require(gateUp.out == 2 * intermediate_ && down.out == hidden_, "gate_up must be [2 * intermediate, hidden], down [hidden, intermediate]");
  const auto isSame = [](const Matrix& a, const Matrix& b) {
    return a.bits == b.bits && a.block == b.block && a.out == b.out && a.in == b.in;
  };
  for (const ExpertWeights& expert : experts_)
    require(isSame(expert.gateUp.matrix, gateUp) && isSame(expert.down.matrix, down),
            "all experts of a layer must have the same shapes and quantisation");
}

void ExpertLayer::check(const ExpertCall& call) const {
  const size_t numRows = call.rows.size / hidden_;
  const size_t numPairs = call.pairRows.size;
  requireRange("the number of rows", numRows, 1, kMaxRows);
  requireRange("the number of pairs", numPairs, 0, kMaxPairs);
  requireSize("rows", call.rows.size, numRows * hidden_);
  requireSize("out", call.out.size, numRows * hidden_);
  requireSize("pairExperts", call.pairExperts.size, numPairs);
  requireSize("pairWeights", call.pairWeights.size, numPairs);
  requireSize("sumUnits", call.sumUnits.size, call.sumUnits.size == 0 ? 0 : numRows);
  requireSize("high", call.high.size, call.sumUnits.size * hidden_);
  for (size_t i = 0; i < call.sumUnits.size; ++i) require(isSumUnit(call.sumUnits.data[i]), "a row's unit must be a power of two");
  for (size_t i = 0; i < numPairs; ++i) {
    requireRange("a pair's row", call.pairRows.data[i], 0, numRows - 1);
    requireRange("a pair's expert", call.pairExperts.data[i], 0, experts_.size() - 1);
    require(i == 0 || call.pairExperts.data[i - 1] <= call.pairExperts.data[i], "the pairs must be sorted by expert");
  }
}

bool ExpertLayer::run(ThreadTeam& team, Workspace& workspace, const ExpertCall& call) const {
  const std::vector<Group> groups = groupPairs(call);
  team.reserveScratch(scratchBytes(team.kernels()));
  // silu(gate) * up of every pair: [pairs, intermediate].
  auto* inner = workspace.first.reserve<float>(call.pairRows.size * intermediate_);
  gateUp(team, workspace, call, groups, inner);
  workspace.activations.prepare(team, experts_.front().down.matrix, inner, call.pairRows.size);
  return down(team, workspace.activations, call, groups);
}

std::vector<ExpertLayer::Group> ExpertLayer::groupPairs(const ExpertCall& call) const {
  std::vector<Group> groups;
  for (size_t i = 0; i < call.pairExperts.size; ++i) {
    const size_t expert = call.pairExperts.data[i];
    const bool isNew = groups.empty() || groups.back().expert != expert || i - groups.back().pairBegin == kMaxGroupPairs;
    if (isNew) groups.push_back({expert, i, i});
    groups.back().pairEnd = i + 1;
  }
  return groups;
}

// The kernels' own scratch comes first, then what the products of a range of tiles need: gate and up, or down.
size_t ExpertLayer::scratchBytes(const KernelSet& kernels) const {
  const ExpertWeights& any = experts_.front();
  const size_t products = std::max(kernels.productScratchBytes(any.gateUp.matrix), kernels.productScratchBytes(any.down.matrix));
  return products + 2 * kMaxGroupPairs * kMaxGrain * kTileRows * sizeof(float);
}

void ExpertLayer::gateUp(ThreadTeam& team, Workspace& workspace, const ExpertCall& call, const std::vector<Group>& groups,
                         float* inner) const {
  ActivationRows& activations = workspace.activations;
  activations.prepare(team, experts_.front().gateUp.matrix, call.rows.data, call.rows.size / hidden_);
  workspace.pointers.resize(call.pairRows.size);
  for (size_t i = 0; i < call.pairRows.size; ++i) workspace.pointers[i] = activations.pointers()[call.pairRows.data[i]];
  // All tiles of all groups are one list, so that nobody waits between experts.
  const size_t tilesPerGroup = numTiles(intermediate_);
  const size_t count = groups.size() * tilesPerGroup;
  team.parallelFor(count, fairGrain(count, team.numThreads()), [&](size_t begin, size_t end, size_t thread) {
    while (begin < end) {
      const size_t group = begin / tilesPerGroup;
      const size_t groupEnd = std::min({end, (group + 1) * tilesPerGroup, begin + kMaxGrain});
      gateUpTiles(team.kernels(), numericsOf(call), activations, groups[group], begin - group * tilesPerGroup, groupEnd - group * tilesPerGroup,
                  workspace.pointers.data() + groups[group].pairBegin, team.scratch(thread), inner);
      begin = groupEnd;
    }
  });
}

void ExpertLayer::gateUpTiles(const KernelSet& kernels, Numerics numerics, const ActivationRows& activations, const Group& group,
                              size_t begin, size_t end, const void* const* pairActivations, void* scratch, float* inner) const {
  const Matrix& matrix = experts_[group.expert].gateUp.matrix;
  const size_t rowBegin = begin * kTileRows;
  const size_t rowEnd = std::min(end * kTileRows, intermediate_);
  const size_t numRows = rowEnd - rowBegin;
  const size_t numPairs = group.pairEnd - group.pairBegin;
  auto* gate = reinterpret_cast<float*>(static_cast<std::byte*>(scratch) + kernels.productScratchBytes(matrix));
  float* up = gate + numPairs * numRows;
  kernels.multiply({&matrix, &activations.layout(), rowBegin, rowEnd, pairActivations, numPairs, gate, numRows, scratch,
                    numerics});
  kernels.multiply({&matrix, &activations.layout(), intermediate_ + rowBegin, intermediate_ + rowEnd, pairActivations,
                    numPairs, up, numRows, scratch, numerics});
  for (size_t i = 0; i < numPairs; ++i)
    kernels.siluMultiply(gate + i * numRows, up + i * numRows, numRows,
                         inner + (group.pairBegin + i) * intermediate_ + rowBegin);
}

// A thread computes a range of columns for all experts, one after another, so the sums need no lock and have one order.
bool ExpertLayer::down(ThreadTeam& team, const ActivationRows& activations, const ExpertCall& call,
                       const std::vector<Group>& groups) const {
  std::atomic<bool> isAnyHigh{false};
  const KernelSet& kernels = team.kernels();
  const size_t count = numTiles(hidden_);
  team.parallelFor(count, fairGrain(count, team.numThreads()), [&](size_t begin, size_t end, size_t thread) {
    for (; begin < end; begin = std::min(begin + kMaxGrain, end)) {
      const size_t columnBegin = begin * kTileRows;
      const size_t columnEnd = std::min(std::min(begin + kMaxGrain, end) * kTileRows, hidden_);
      const size_t width = columnEnd - columnBegin;
      clear(call.out, columnBegin, width);
      bool hasHigh = false;
      for (const Group& group : groups) {
        const Matrix& matrix = experts_[group.expert].down.matrix;
        auto* products = reinterpret_cast<float*>(static_cast<std::byte*>(team.scratch(thread)) + kernels.productScratchBytes(matrix));
        kernels.multiply({&matrix, &activations.layout(), columnBegin, columnEnd, activations.pointers() + group.pairBegin,
                          group.pairEnd - group.pairBegin, products, width, team.scratch(thread), numericsOf(call)});
        for (size_t pair = group.pairBegin; pair < group.pairEnd; ++pair)
          hasHigh = addTerms(kernels, call, pair, products + (pair - group.pairBegin) * width, columnBegin, width, hasHigh);
      }
      // Columns without a high part are cleared as well, in case others have one.
      if (hasHigh) isAnyHigh.store(true, std::memory_order_relaxed);
      else clear(call.high, columnBegin, width);
    }
  });
  return isAnyHigh.load(std::memory_order_relaxed);
}

void ExpertLayer::clear(Span<float> sums, size_t columnBegin, size_t width) const {
  for (size_t start = columnBegin; start < sums.size; start += hidden_) std::memset(sums.data + start, 0, width * sizeof(float));
}

/// Adds some columns of a pair to the sums of its row. hasHigh: whether `high` is in use in these columns; returns whether it is then.
bool ExpertLayer::addTerms(const KernelSet& kernels, const ExpertCall& call, size_t pair, const float* products, size_t columnBegin,
                           size_t width, bool hasHigh) const {
  const size_t row = call.pairRows.data[pair], start = row * hidden_ + columnBegin;
  const float weight = call.pairWeights.data[pair];
  float* out = call.out.data + start;
  if (call.sumUnits.size == 0) {
    kernels.addScaled(products, weight, width, out);
    return false;
  }
  const float unit = call.sumUnits.data[row];
  const float largest = std::fabs(weight) * kernels.largestMagnitude(products, width);
  if (largest <= highestLowPart(unit)) {
    kernels.addRounded(products, weight, unit, width, out);
    return hasHigh;
  }
  if (!hasHigh) clear(call.high, columnBegin, width);
  kernels.addInParts(products, weight, unit, width, out, call.high.data + start);
  // No sum at all rather than one that depends on its order; whoever reads it refuses it.
  if (!(largest <= highestTerm(unit))) std::fill_n(out, width, NAN);
  return true;
}

}  // namespace expertmesh
