#pragma once
#include <memory>
#include <vector>

#include "dense-layer.hpp"
#include "expert-layer.hpp"

namespace expertmesh {

/// A layer with all of its experts; none in a layer that has an MLP instead.
struct WholeLayer {
  std::shared_ptr<const DenseLayer> dense;
  std::shared_ptr<const ExpertLayer> experts;
};

struct WholeLayersCall {
  std::vector<WholeLayer> layers;
  KvLayout kv;
  /// In the order of the rows.
  std::vector<SequenceRows> sequences;
  /// [rows, hidden], read and written.
  Span<float> hidden;
  /// [rows, head_dim / 2]
  Span<const float> cos;
  Span<const float> sin;
  /// Overwritten layer by layer: [rows, hidden].
  Span<float> residual;
  Span<float> normed;
  /// Of every layer with experts, one after another: [rows, top-k], [rows, top-k] and [experts].
  Span<int32_t> expertIds;
  Span<float> routingWeights;
  Span<float> probabilitySums;
  /// Whether the experts' terms are rounded to a unit of their row, so that sums are those of workers, however they share the experts.
  bool areSumsExact;
};

/// Seconds that layers with experts spent on either part.
struct WholeLayersTimes {
  double dense = 0;
  double experts = 0;
};

/// Throws InvalidArgument where the call of a layer's dense part would.
void checkWholeLayers(const WholeLayersCall& call);

/// Layer after layer without going back to whoever called; throws InvalidArgument where a layer lacks an expert.
WholeLayersTimes computeWholeLayers(ThreadTeam& team, Workspace& workspace, const WholeLayersCall& call);

}  // namespace expertmesh
