#include "dense-layer.hpp"

#include <algorithm>

#include "attention-plan.hpp"
#include "limits.hpp"
#include "require.hpp"
#include "top-k.hpp"

namespace expertmesh {

namespace {

/// Rows of cheap work (norms, rotations, routing) that are not worth handing to another thread.
constexpr size_t kCheapRows = 2;

const float* vectorOf(const StoredMatrix& stored) { return reinterpret_cast<const float*>(stored.matrix.weights); }

void requireShape(const char* name, const StoredMatrix& stored, size_t out, size_t in) {
  if (stored.matrix.out != out || stored.matrix.in != in)
    throw InvalidArgument(std::string(name) + " must be [" + std::to_string(out) + ", " + std::to_string(in) + "], it is [" +
                          std::to_string(stored.matrix.out) + ", " + std::to_string(stored.matrix.in) + "]");
}

void requireVector(const char* name, const StoredMatrix& stored, size_t size) {
  requireShape(name, stored, 1, size);
  require(stored.matrix.bits == WeightBits::k32, "norms and biases are fp32");
}

void requireKv(const AttentionShape& shape, const KvLayout& kv) {
  require(kv.numKvHeads == shape.numKvHeads && kv.headDim == shape.headDim, "the KV pool is one of another model");
  require(shape.layerIndex < kv.numLayers, "the KV pool has no such layer");
}

/// Rows of one KV head that go into one block, with the index of the first of them in the call.
struct StoredRows {
  size_t sequenceIndex;
  size_t row;
  size_t numRows;
  size_t position;
};

std::vector<StoredRows> rowsByBlock(const std::vector<SequenceRows>& sequences) {
  std::vector<StoredRows> all;
  size_t firstRow = 0;
  for (size_t i = 0; i < sequences.size(); ++i) {
    for (size_t row = 0; row < sequences[i].numRows;) {
      const size_t position = sequences[i].length + row;
      const size_t count = std::min(sequences[i].numRows - row, kBlockTokens - position % kBlockTokens);
      all.push_back({i, firstRow + row, count, position});
      row += count;
    }
    firstRow += sequences[i].numRows;
  }
  return all;
}

void requireOwnBlocks(const std::vector<SequenceRows>& sequences) {
  std::vector<const uint8_t*> written;
  for (const StoredRows& rows : rowsByBlock(sequences))
    written.push_back(sequences[rows.sequenceIndex].blocks.data[rows.position / kBlockTokens]);
  std::sort(written.begin(), written.end());
  require(std::adjacent_find(written.begin(), written.end()) == written.end(), "a KV block is written twice in one call");
}

}  // namespace

DenseLayer::DenseLayer(AttentionShape shape, DenseLayerWeights weights, RoutingShape routing)
    : shape_(shape), weights_(std::move(weights)), routing_(routing) {
  constexpr size_t kMaxSize = size_t{1} << 20;
  requireRange("hidden", shape_.hidden, 1, kMaxSize);
  requireRange("numHeads", shape_.numHeads, 1, 4096);
  requireRange("numKvHeads", shape_.numKvHeads, 1, shape_.numHeads);
  requireRange("headDim", shape_.headDim, 2, 4096);
  require(shape_.headDim % 2 == 0, "headDim must be even");
  require(shape_.numHeads % shape_.numKvHeads == 0, "numKvHeads must divide numHeads");
  requireVector("inputNorm", weights_.inputNorm, shape_.hidden);
  requireShape("qkv", weights_.qkv, shape_.qkvSize(), shape_.hidden);
  if (weights_.qkvBias) requireVector("qkvBias", *weights_.qkvBias, shape_.qkvSize());
  requireVector("qNorm", weights_.qNorm, shape_.headDim);
  requireVector("kNorm", weights_.kNorm, shape_.headDim);
  requireShape("o", weights_.o, shape_.hidden, shape_.qSize());
  if (weights_.oBias) requireVector("oBias", *weights_.oBias, shape_.hidden);
  requireVector("postNorm", weights_.postNorm, shape_.hidden);
  if (weights_.router) {
    require(!weights_.gateUp && !weights_.down, "a layer has a router or an MLP, not both");
    requireShape("router", *weights_.router, weights_.router->matrix.out, shape_.hidden);
    requireRange("topK", routing_.topK, 1, weights_.router->matrix.out);
  } else {
    require(weights_.gateUp && weights_.down, "a layer without a router needs gateUp and down");
    const size_t intermediate = weights_.down->matrix.in;
    requireShape("gateUp", *weights_.gateUp, 2 * intermediate, shape_.hidden);
    requireShape("down", *weights_.down, shape_.hidden, intermediate);
  }
}

void DenseLayer::check(const DenseCall& call) const {
  const size_t numRows = call.hidden.size / shape_.hidden;
  requireRange("the number of rows", numRows, 1, kMaxRows);
  requireSize("hidden", call.hidden.size, numRows * shape_.hidden);
  requireSize("cos", call.cos.size, numRows * shape_.headDim / 2);
  requireSize("sin", call.sin.size, numRows * shape_.headDim / 2);
  requireSize("residual", call.residual.size, numRows * shape_.hidden);
  requireSize("normed", call.normed.size, weights_.router ? numRows * shape_.hidden : 0);
  requireSize("expertIds", call.expertIds.size, weights_.router ? numRows * routing_.topK : 0);
  requireSize("routingWeights", call.routingWeights.size, weights_.router ? numRows * routing_.topK : 0);
  requireSize("probabilitySums", call.probabilitySums.size, weights_.router ? weights_.router->matrix.out : 0);
  requireKv(shape_, call.kv);
  size_t rowsOfSequences = 0;
  for (const SequenceRows& sequence : call.sequences) {
    requireRange("a sequence's number of rows", sequence.numRows, 1, numRows);
    requireRange("a sequence's length", sequence.length, 0, kMaxTokens);
    const size_t numBlocks = (sequence.length + sequence.numRows + kBlockTokens - 1) / kBlockTokens;
    requireRange("a sequence's number of blocks", sequence.blocks.size, numBlocks, kMaxTokens);
    rowsOfSequences += sequence.numRows;
  }
  requireSize("hidden, by the sequences' rows,", numRows, rowsOfSequences);
  requireOwnBlocks(call.sequences);
}

void DenseLayer::run(ThreadTeam& team, Workspace& workspace, const DenseCall& call) const {
  const size_t numRows = call.hidden.size / shape_.hidden;
  auto* normed = workspace.first.reserve<float>(numRows * shape_.hidden);
  auto* qkv = workspace.second.reserve<float>(numRows * shape_.qkvSize());
  auto* context = workspace.third.reserve<float>(numRows * shape_.qSize());
  projectQkv(team, workspace, call, normed, qkv);
  rotate(team, call, qkv);
  storeKv(team, call, qkv);
  attend(team, workspace, call, qkv, context);
  projectContext(team, workspace, call, context);
  if (weights_.router) {
    normalise(team, call.residual.data, weights_.postNorm, numRows, call.normed.data);
    route(team, workspace, call);
  } else {
    normalise(team, call.residual.data, weights_.postNorm, numRows, normed);
    gatedMlp(team, workspace, call, normed);
  }
}

void DenseLayer::normalise(ThreadTeam& team, const float* x, const StoredMatrix& weight, size_t numRows, float* out) const {
  const size_t hidden = shape_.hidden;
  team.parallelFor(numRows, kCheapRows, [&](size_t begin, size_t end, size_t) {
    for (size_t row = begin; row < end; ++row)
      team.kernels().rmsNorm(x + row * hidden, vectorOf(weight), shape_.epsilon, hidden, out + row * hidden);
  });
}

void DenseLayer::projectQkv(ThreadTeam& team, Workspace& workspace, const DenseCall& call, float* normed, float* qkv) const {
  const size_t numRows = call.hidden.size / shape_.hidden;
  normalise(team, call.hidden.data, weights_.inputNorm, numRows, normed);
  workspace.activations.prepare(team, weights_.qkv.matrix, normed, numRows);
  multiplyMatrix(team, weights_.qkv.matrix, workspace.activations, qkv, [&](size_t begin, size_t end) {
    if (!weights_.qkvBias) return;
    for (size_t row = 0; row < numRows; ++row)
      team.kernels().addScaled(vectorOf(*weights_.qkvBias) + begin, 1, end - begin, qkv + row * shape_.qkvSize() + begin);
  });
}

/// Norm and rotation of each query and key head.
void DenseLayer::rotate(ThreadTeam& team, const DenseCall& call, float* qkv) const {
  const KernelSet& kernels = team.kernels();
  const size_t numRows = call.hidden.size / shape_.hidden, dim = shape_.headDim;
  team.parallelFor(numRows, kCheapRows, [&](size_t begin, size_t end, size_t) {
    for (size_t row = begin; row < end; ++row) {
      float* q = qkv + row * shape_.qkvSize();
      for (size_t head = 0; head < shape_.numHeads + shape_.numKvHeads; ++head) {
        const StoredMatrix& norm = head < shape_.numHeads ? weights_.qNorm : weights_.kNorm;
        kernels.rmsNorm(q + head * dim, vectorOf(norm), shape_.epsilon, dim, q + head * dim);
        kernels.rotate(call.cos.data + row * dim / 2, call.sin.data + row * dim / 2, dim, q + head * dim);
      }
    }
  });
}

/// A block is one thread's, because tokens that follow each other share its cache lines.
void DenseLayer::storeKv(ThreadTeam& team, const DenseCall& call, const float* qkv) const {
  constexpr size_t kCheapHeads = 8;
  const std::vector<StoredRows> all = rowsByBlock(call.sequences);
  team.parallelFor(all.size() * shape_.numKvHeads, kCheapHeads, [&](size_t begin, size_t end, size_t) {
    for (size_t i = begin; i < end; ++i) {
      const StoredRows& rows = all[i / shape_.numKvHeads];
      const size_t kvHead = i % shape_.numKvHeads;
      const float* keys = qkv + rows.row * shape_.qkvSize() + shape_.qSize() + kvHead * shape_.headDim;
      team.kernels().storeKv({kvHeadOf(call, rows.sequenceIndex, kvHead), rows.position, rows.numRows, keys,
                              keys + shape_.kvSize(), shape_.qkvSize()});
    }
  });
}

KvHead DenseLayer::kvHeadOf(const DenseCall& call, size_t sequenceIndex, size_t kvHead) const {
  const size_t offset = call.kv.headOffset(shape_.layerIndex, kvHead);
  return {call.kv.dtype, shape_.headDim, call.sequences[sequenceIndex].blocks.data, offset};
}

AttentionRows DenseLayer::attentionRows(const DenseCall& call, const AttentionGroup& group, size_t kvHead, const float* qkv,
                                        float* context) const {
  const size_t groupSize = shape_.numHeads / shape_.numKvHeads;
  const size_t head = kvHead * groupSize * shape_.headDim;
  return {qkv + group.row * shape_.qkvSize() + head, context + group.row * shape_.qSize() + head, shape_.qkvSize(),
          shape_.qSize(), group.numRows, groupSize, kvHeadOf(call, group.sequenceIndex, kvHead), group.position, nullptr};
}

void DenseLayer::attend(ThreadTeam& team, Workspace& workspace, const DenseCall& call, const float* qkv, float* context) const {
  const KernelSet& kernels = team.kernels();
  const size_t dim = shape_.headDim, numKvHeads = shape_.numKvHeads, groupSize = shape_.numHeads / numKvHeads;
  const AttentionPlan plan = planAttention(call.sequences, groupSize);
  team.reserveScratch(kernels.attentionScratchBytes(maxRowsPerGroup(groupSize) * groupSize, dim));
  const size_t mostFloats = kernels.attentionPartialFloats(plan.maxDividedRows * groupSize, dim);
  auto* partials = workspace.partials.reserve<float>(plan.numPartials * numKvHeads * mostFloats);
  const auto partialOf = [&](const AttentionGroup& group, size_t kvHead, size_t segment) {
    float* first = partials + (group.partialsBefore * numKvHeads + kvHead * group.numSegments()) * mostFloats;
    return first + segment * kernels.attentionPartialFloats(group.numRows * groupSize, dim);
  };
  team.parallelFor(plan.pieces.size() * numKvHeads, 1, [&](size_t begin, size_t end, size_t thread) {
    for (size_t i = begin; i < end; ++i) {
      const AttentionPiece& piece = plan.pieces[i / numKvHeads];
      const AttentionGroup& group = plan.groups[piece.groupIndex];
      AttentionRows rows = attentionRows(call, group, i % numKvHeads, qkv, context);
      rows.scratch = team.scratch(thread);
      if (piece.segment) kernels.attendSegment(rows, *piece.segment, partialOf(group, i % numKvHeads, *piece.segment));
      else kernels.attend(rows);
    }
  });
  team.parallelFor(plan.dividedGroups.size() * numKvHeads, 1, [&](size_t begin, size_t end, size_t thread) {
    for (size_t i = begin; i < end; ++i) {
      const AttentionGroup& group = plan.groups[plan.dividedGroups[i / numKvHeads]];
      AttentionRows rows = attentionRows(call, group, i % numKvHeads, qkv, context);
      rows.scratch = team.scratch(thread);
      kernels.joinSegments(rows, partialOf(group, i % numKvHeads, 0));
    }
  });
}

void DenseLayer::projectContext(ThreadTeam& team, Workspace& workspace, const DenseCall& call, const float* context) const {
  const size_t numRows = call.hidden.size / shape_.hidden;
  workspace.activations.prepare(team, weights_.o.matrix, context, numRows);
  multiplyMatrix(team, weights_.o.matrix, workspace.activations, call.residual.data, [&](size_t begin, size_t end) {
    for (size_t row = 0; row < numRows; ++row) {
      float* out = call.residual.data + row * shape_.hidden + begin;
      if (weights_.oBias) team.kernels().addScaled(vectorOf(*weights_.oBias) + begin, 1, end - begin, out);
      team.kernels().addScaled(call.hidden.data + row * shape_.hidden + begin, 1, end - begin, out);
    }
  });
}

void DenseLayer::route(ThreadTeam& team, Workspace& workspace, const DenseCall& call) const {
  const Matrix& router = weights_.router->matrix;
  const size_t numRows = call.hidden.size / shape_.hidden;
  workspace.activations.prepare(team, router, call.normed.data, numRows);
  auto* logits = workspace.second.reserve<float>(numRows * router.out);
  multiplyMatrix(team, router, workspace.activations, logits, [](size_t, size_t) {});
  team.parallelFor(numRows, kCheapRows, [&](size_t begin, size_t end, size_t) {
    for (size_t row = begin; row < end; ++row) team.kernels().softmax(logits + row * router.out, router.out);
  });
  // By one thread, so that the sums do not depend on who was free; a few hundred additions a row.
  std::fill_n(call.probabilitySums.data, router.out, 0.0f);
  for (size_t row = 0; row < numRows; ++row) team.kernels().addScaled(logits + row * router.out, 1, router.out, call.probabilitySums.data);
  team.parallelFor(numRows, kCheapRows, [&](size_t begin, size_t end, size_t) {
    for (size_t row = begin; row < end; ++row) {
      float* probabilities = logits + row * router.out;
      takeTopK(probabilities, router.out, routing_.topK, routing_.normalise, call.expertIds.data + row * routing_.topK,
               call.routingWeights.data + row * routing_.topK);
    }
  });
}

void DenseLayer::gatedMlp(ThreadTeam& team, Workspace& workspace, const DenseCall& call, float* normed) const {
  const Matrix& gateUp = weights_.gateUp->matrix;
  const Matrix& down = weights_.down->matrix;
  const size_t numRows = call.hidden.size / shape_.hidden;
  workspace.activations.prepare(team, gateUp, normed, numRows);
  auto* both = workspace.second.reserve<float>(numRows * gateUp.out);
  multiplyMatrix(team, gateUp, workspace.activations, both, [](size_t, size_t) {});
  auto* inner = workspace.third.reserve<float>(numRows * down.in);
  team.parallelFor(numRows, kCheapRows, [&](size_t begin, size_t end, size_t) {
    for (size_t row = begin; row < end; ++row)
      team.kernels().siluMultiply(both + row * gateUp.out, both + row * gateUp.out + down.in, down.in, inner + row * down.in);
  });
  workspace.activations.prepare(team, down, inner, numRows);
  auto* out = workspace.first.reserve<float>(numRows * shape_.hidden);
  multiplyMatrix(team, down, workspace.activations, out, [&](size_t begin, size_t end) {
    for (size_t row = 0; row < numRows; ++row)
      team.kernels().addScaled(out + row * shape_.hidden + begin, 1, end - begin,
                               call.residual.data + row * shape_.hidden + begin);
  });
}

}  // namespace expertmesh
