#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "kv-layout.hpp"
#include "linear.hpp"

namespace expertmesh {

/// The sizes of a layer's attention, and which layer of the model it is.
struct AttentionShape {
  size_t layerIndex;
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

/// The rows of one sequence and its blocks in the KV pool.
struct SequenceRows {
  size_t numRows;
  /// Tokens that are stored already; the rows come behind them.
  size_t length;
  /// Where blocks start, enough for the stored tokens and the rows. Those that rows are written to are no other sequence's.
  Span<uint8_t* const> blocks;
};

struct AttentionGroup;

struct DenseCall {
  /// [rows, hidden]
  Span<const float> hidden;
  /// [rows, head_dim / 2]
  Span<const float> cos;
  Span<const float> sin;
  /// Of all blocks.
  KvLayout kv;
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
  /// Throws InvalidArgument for sizes that do not fit, sequences without blocks for their rows, and a block that two of them write.
  void check(const DenseCall& call) const;
  void run(ThreadTeam& team, Workspace& workspace, const DenseCall& call) const;

 private:
  void projectQkv(ThreadTeam& team, Workspace& workspace, const DenseCall& call, float* normed, float* qkv) const;
  void rotate(ThreadTeam& team, const DenseCall& call, float* qkv) const;
  void storeKv(ThreadTeam& team, const DenseCall& call, const float* qkv) const;
  KvHead kvHeadOf(const DenseCall& call, size_t sequenceIndex, size_t kvHead) const;
  AttentionRows attentionRows(const DenseCall& call, const AttentionGroup& group, size_t kvHead, const float* qkv,
                              float* context) const;
  void attend(ThreadTeam& team, Workspace& workspace, const DenseCall& call, const float* qkv, float* context) const;
  void projectContext(ThreadTeam& team, Workspace& workspace, const DenseCall& call, const float* context) const;
  void normalise(ThreadTeam& team, const float* x, const StoredMatrix& weight, size_t numRows, float* out) const;
  void route(ThreadTeam& team, Workspace& workspace, const DenseCall& call) const;
  void gatedMlp(ThreadTeam& team, Workspace& workspace, const DenseCall& call, float* normed) const;

  AttentionShape shape_;
  DenseLayerWeights weights_;
  RoutingShape routing_;
};

}  // namespace expertmesh
