#include "whole-layers.hpp"

#include <chrono>
#include <cstring>
#include <memory>
#include <utility>

#include "exact-sum.hpp"

namespace expertmesh {

namespace {

/// The routing of some rows as pairs that are sorted by expert, and within an expert by row. Used for layer after layer.
class SortedPairs {
 public:
  void sort(Span<int32_t> expertIds, Span<float> routingWeights, size_t topK) {
    ends_.clear();
    for (size_t i = 0; i < expertIds.size; ++i) {
      const auto expert = static_cast<size_t>(expertIds.data[i]);
      if (expert >= ends_.size()) ends_.resize(expert + 1);
      ends_[expert] += 1;
    }
    for (size_t expert = 1; expert < ends_.size(); ++expert) ends_[expert] += ends_[expert - 1];
    rows_.resize(expertIds.size);
    experts_.resize(expertIds.size);
    weights_.resize(expertIds.size);
    for (size_t i = expertIds.size; i-- > 0;) {
      const size_t position = --ends_[static_cast<size_t>(expertIds.data[i])];
      rows_[position] = static_cast<uint32_t>(i / topK);
      experts_[position] = static_cast<uint32_t>(expertIds.data[i]);
      weights_[position] = routingWeights.data[i];
    }
  }

  ExpertCall call(Span<float> rows, Span<float> out, Span<const float> sumUnits, Span<float> high) const {
    return {{rows.data, rows.size}, {rows_.data(), rows_.size()}, {experts_.data(), experts_.size()}, {weights_.data(), weights_.size()}, out, sumUnits, high};
  }

 private:
  /// By expert, one behind its last pair; while sorting, behind its last pair that has no place yet.
  std::vector<size_t> ends_;
  std::vector<uint32_t> rows_;
  std::vector<uint32_t> experts_;
  std::vector<float> weights_;
};

/// One of numParts equal parts of an array.
template <class T>
Span<T> partOf(Span<T> all, size_t index, size_t numParts) {
  const size_t size = all.size / numParts;
  return {all.data + index * size, size};
}

size_t numRowsOf(const WholeLayersCall& call) {
  size_t numRows = 0;
  for (const SequenceRows& sequence : call.sequences) numRows += sequence.numRows;
  return numRows;
}

size_t numLayersWithExperts(const WholeLayersCall& call) {
  size_t count = 0;
  for (const WholeLayer& layer : call.layers) count += layer.experts != nullptr;
  return count;
}

/// The dense part of each layer in turn.
class DenseCalls {
 public:
  explicit DenseCalls(const WholeLayersCall& call) : call_(call), numWithExperts_(numLayersWithExperts(call)) {}

  DenseCall next(const WholeLayer& layer, Span<float> hidden, Span<float> residual) {
    DenseCall dense{{hidden.data, hidden.size}, call_.cos, call_.sin, call_.kv, call_.sequences, residual, {}, {}, {}, {}};
    if (layer.experts == nullptr) return dense;
    dense.normed = call_.normed;
    dense.expertIds = partOf(call_.expertIds, numSeen_, numWithExperts_);
    dense.routingWeights = partOf(call_.routingWeights, numSeen_, numWithExperts_);
    dense.probabilitySums = partOf(call_.probabilitySums, numSeen_, numWithExperts_);
    numSeen_ += 1;
    return dense;
  }

 private:
  const WholeLayersCall& call_;
  size_t numWithExperts_;
  size_t numSeen_ = 0;
};

/// What exact sums need, of one layer after another; nothing where sums are not exact.
class ExactSums {
 public:
  ExactSums(bool areSumsExact, size_t numRows, size_t hidden)
      : units_(areSumsExact ? numRows : 0), highSize_(areSumsExact ? numRows * hidden : 0), high_(new float[highSize_]) {}

  Span<const float> unitsFor(Span<float> residual) {
    const size_t hidden = units_.empty() ? 0 : residual.size / units_.size();
    for (size_t row = 0; row < units_.size(); ++row) units_[row] = sumUnit(residual.data + row * hidden, hidden);
    return {units_.data(), units_.size()};
  }

  Span<float> high() { return {high_.get(), highSize_}; }

 private:
  std::vector<float> units_;
  size_t highSize_;
  /// Not initialised: hardly ever used.
  std::unique_ptr<float[]> high_;
};

void add(ThreadTeam& team, Span<float> x, Span<float> to) {
  constexpr size_t kGrain = 16384;
  team.parallelFor(x.size, kGrain, [&](size_t begin, size_t end, size_t) {
    team.kernels().addScaled(x.data + begin, 1, end - begin, to.data + begin);
  });
}

/// residual += what the experts make of `normed`; `sums` is overwritten.
void addExperts(ThreadTeam& team, Workspace& workspace, const DenseCall& dense, const WholeLayer& layer, SortedPairs& pairs,
                ExactSums& exactSums, Span<float> sums) {
  size_t numRows = 0;
  for (const SequenceRows& sequence : dense.sequences) numRows += sequence.numRows;
  const size_t topK = dense.expertIds.size / numRows;
  pairs.sort(dense.expertIds, dense.routingWeights, topK);
  const ExpertCall expertCall = pairs.call(dense.normed, sums, exactSums.unitsFor(dense.residual), exactSums.high());
  layer.experts->check(expertCall);
  if (layer.experts->run(team, workspace, expertCall)) add(team, exactSums.high(), sums);
  add(team, sums, dense.residual);
}

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

void checkWholeLayers(const WholeLayersCall& call) {
  DenseCalls denseCalls(call);
  for (const WholeLayer& layer : call.layers) layer.dense->check(denseCalls.next(layer, call.hidden, call.residual));
}

WholeLayersTimes computeWholeLayers(ThreadTeam& team, Workspace& workspace, const WholeLayersCall& call) {
  WholeLayersTimes times;
  SortedPairs pairs;
  DenseCalls denseCalls(call);
  ExactSums exactSums(call.areSumsExact, numRowsOf(call), call.hidden.size / numRowsOf(call));
  Span<float> hidden = call.hidden, residual = call.residual;
  for (const WholeLayer& layer : call.layers) {
    const auto denseStart = Clock::now();
    const DenseCall dense = denseCalls.next(layer, hidden, residual);
    layer.dense->run(team, workspace, dense);
    if (layer.experts != nullptr) {
      times.dense += secondsSince(denseStart);
      const auto expertsStart = Clock::now();
      // The layer's input is not needed any more.
      addExperts(team, workspace, dense, layer, pairs, exactSums, hidden);
      times.experts += secondsSince(expertsStart);
    }
    std::swap(hidden, residual);
  }
  if (hidden.data != call.hidden.data) std::memcpy(call.hidden.data, hidden.data, hidden.size * sizeof(float));
  return times;
}

}  // namespace expertmesh
