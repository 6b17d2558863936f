#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "linear.hpp"

namespace expertmesh {

/// The sizes of a layer's attention.
struct AttentionShape {
  size_t hidden;
  size_t numHeads;
  size_t numKvHeads;
  size_t headDim;
  float epsilon;

  size_t qSize() const { return numHeads * headDim; }
  size_t kvSize() const { return numKvHeads * headDim; }
  size_t qkvSize() const { return qSize() + 2 * kvSize(); }
};

/// Vectors are fp32 matrices with one row.
struct DenseLayerWeights {
  StoredMatrix inputNorm;
  StoredMatrix qkv;
  std::optional<StoredMatrix> qkvBias;
  StoredMatrix qNorm;
  StoredMatrix kNorm;
  StoredMatrix o;
  std::optional<StoredMatrix> oBias;
  StoredMatrix postNorm;
  /// [experts, hidden]; a layer without experts has gateUp and down instead.
  std::optional<StoredMatrix> router;
  std::optional<StoredMatrix> gateUp;
  std::optional<StoredMatrix> down;
};

struct RoutingShape {
  size_t topK;
  bool normalise;
};

/// The rows of one sequence and its KV cache in this layer: keys and values [kv heads, capacity, head_dim].
struct SequenceRows {
  size_t numRows;
  Span<float> keys;
  Span<float> values;
  size_t capacity;
  /// Tokens that are stored already; the rows come behind them.
  size_t length;
};

struct DenseCall {
  /// [rows, hidden]
  Span<const float> hidden;
  /// [rows, head_dim / 2]
  Span<const float> cos;
  Span<const float> sin;
  /// In the order of the rows.
  std::vector<SequenceRows> sequences;
  /// [rows, hidden]
  Span<float> residual;
  /// The rest is empty in a layer without experts. [rows, hidden]
  Span<float> normed;
  /// [rows, top-k], by descending weight
  Span<int32_t> expertIds;
  Span<float> routingWeights;
  /// [experts], the softmax over all experts summed over the rows
  Span<float> probabilitySums;
};

/// Everything of a layer but its experts: from the hidden state to the residual, the experts' input and the routing.
class DenseLayer {
 public:
  /// Throws InvalidArgument unless all shapes fit each other.
  DenseLayer(AttentionShape shape, DenseLayerWeights weights, RoutingShape routing);
  /// Throws InvalidArgument for sizes that do not fit, and caches without room for the rows.
  void check(const DenseCall& call) const;
  void run(ThreadTeam& team, Workspace& workspace, const DenseCall& call) const;

 private:
  void projectQkv(ThreadTeam& team, Workspace& workspace, const DenseCall& call, float* normed, float* qkv) const;
  void rotateAndStore(ThreadTeam& team, const DenseCall& call, float* qkv) const;
  void finishRow(const KernelSet& kernels, const DenseCall& call, const SequenceRows& sequence, size_t row,
                 size_t rowInSequence, float* qkv) const;
  void attend(ThreadTeam& team, const DenseCall& call, const float* qkv, float* context) const;
  void projectContext(ThreadTeam& team, Workspace& workspace, const DenseCall& call, const float* context) const;
  void normalise(ThreadTeam& team, const float* x, const StoredMatrix& weight, size_t numRows, float* out) const;
  void route(ThreadTeam& team, Workspace& workspace, const DenseCall& call) const;
  void gatedMlp(ThreadTeam& team, Workspace& workspace, const DenseCall& call, float* normed) const;

  AttentionShape shape_;
  DenseLayerWeights weights_;
  RoutingShape routing_;
};

}  // namespace expertmesh
