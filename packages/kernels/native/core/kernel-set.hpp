#pragma once
#include <cstddef>

#include "activation-layout.hpp"
#include "kv-layout.hpp"
#include "matrix.hpp"

namespace expertmesh {

/// kInvariant: products of a row of activations have the same bits beside few rows and beside many. kFast: they may not.
enum class Numerics { kFast, kInvariant };

/// Some rows of a matrix times some activation rows.
struct Product {
  const Matrix* matrix;
  const ActivationLayout* layout;
  size_t rowBegin;
  size_t rowEnd;
  /// Rows written by `quantise`; for an fp32 matrix, the fp32 rows themselves.
  const void* const* activations;
  size_t numActivations;
  /// outputs[j * outputStride + i] receives row rowBegin + i of the matrix times activation j.
  float* outputs;
  size_t outputStride;
  /// `productScratchBytes` of the same kernel set for this matrix.
  void* scratch;
  Numerics numerics;
};

/// New keys and values of one KV head for tokens that follow each other.
struct KvRows {
  KvHead to;
  /// Of the first token.
  size_t position;
  size_t numRows;
  /// Row r starts at keys + r * stride; the values likewise.
  const float* keys;
  const float* values;
  size_t stride;
};

/**
 * Attention is computed over stretches of this many tokens, whose results are joined in their order. So one sequence's context can be
 * divided among threads, and the bits depend neither on that nor on the rows that are computed together.
 */
constexpr size_t kSegmentTokens = 512;

/// Some rows of one sequence and the query heads that share one KV head.
struct AttentionRows {
  /// Query i of row r starts at queries + r * queryStride + i * head_dim; the context likewise.
  const float* queries;
  float* context;
  size_t queryStride;
  size_t contextStride;
  size_t numRows;
  size_t groupSize;
  KvHead kv;
  /// Row r looks at the tokens 0 .. firstPosition + r.
  size_t firstPosition;
  /// `attentionScratchBytes` for numRows * groupSize queries.
  void* scratch;

  size_t numQueries() const { return numRows * groupSize; }
  size_t numTokens() const { return firstPosition + numRows; }
  size_t numSegments() const { return (numTokens() + kSegmentTokens - 1) / kSegmentTokens; }
};

/// What one instruction set provides. All pointers may be unaligned unless said otherwise; arrays do not overlap.
struct KernelSet {
  const char* name;
  size_t vectorBytes;

  /// Writes one activation row in the matrix's layout (which is for this kernel set). NaN and infinity stay not finite.
  void (*quantise)(const Matrix&, const ActivationLayout&, const float* x, void* row);
  void (*multiply)(const Product&);
  size_t (*productScratchBytes)(const Matrix&);
  void (*storeKv)(const KvRows&);
  /// Writes the context.
  void (*attend)(const AttentionRows&);
  /// One stretch of it: `partial` receives attentionPartialFloats values.
  void (*attendSegment)(const AttentionRows&, size_t segment, float* partial);
  /// The partials of all stretches, one behind another, to the context; they are changed.
  void (*joinSegments)(const AttentionRows&, float* partials);
  size_t (*attentionScratchBytes)(size_t numQueries, size_t headDim);
  size_t (*attentionPartialFloats)(size_t numQueries, size_t headDim);

  /// out = x / sqrt(mean(x^2) + epsilon) * weight; out may be x.
  void (*rmsNorm)(const float* x, const float* weight, float epsilon, size_t n, float* out);
  /// out = gate / (1 + exp(-gate)) * up
  void (*siluMultiply)(const float* gate, const float* up, size_t n, float* out);
  /// In place, over n values.
  void (*softmax)(float* x, size_t n);
  /// out += weight * x
  void (*addScaled)(const float* x, float weight, size_t n, float* out);
  /// Of n values; NaN where one is NaN.
  float (*largestMagnitude)(const float* x, size_t n);
  /// out += weight * x, each product rounded to a multiple of `unit` before.
  void (*addRounded)(const float* x, float weight, float unit, size_t n, float* out);
  /// The same where products may be beyond highestLowPart(unit): multiples of unit * kHighUnits go to `high`, what is left to `out`.
  void (*addInParts)(const float* x, float weight, float unit, size_t n, float* out, float* high);
  /// Half-split rotary embedding of one head in place; cos and sin have headDim / 2 values.
  void (*rotate)(const float* cos, const float* sin, size_t headDim, float* head);
  /// Reads numBytes (a multiple of 64) and returns something that depends on all of them.
  double (*readAll)(const void* p, size_t numBytes);
  /// Multiplies numBytes (a multiple of 4,096) of int8 by 4-bit weights, so many times, and returns something that depends on all.
  double (*multiplyAll)(const void* p, size_t numBytes, size_t numTimes);
};

}  // namespace expertmesh
