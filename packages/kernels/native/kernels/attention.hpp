#pragma once
#include <cstring>

#include "../core/kernel-set.hpp"
#include "vector-ops.hpp"

namespace expertmesh {

/**
 * Causal attention with an online softmax (FlashAttention's recurrence): tokens come in tiles of 32; keys of a tile are
 * transposed once and meet all queries of the block, so that scores and mixed values are both products of small matrices
 * with one output per lane.
 */
template <class S>
struct Attention {
  using Floats = typename S::Floats;
  static constexpr size_t kTokens = 32;
  static constexpr size_t kVectors = 2;
  static constexpr size_t kColumns = S::kTileColumns < 4 ? S::kTileColumns : 4;

  static size_t scratchBytes(size_t numQueries, size_t headDim) {
    return sizeof(float) * (numQueries * (2 * padded(headDim) + kTokens + 2) + padded(headDim) * kTokens);
  }

  static void run(const AttentionBlock& b) {
    Work w(b);
    loadQueries(b, w);
    const size_t numTokens = b.firstPosition + b.numRows;
    for (size_t token = 0; token < numTokens; token += kTokens) {
      const size_t count = numTokens - token < kTokens ? numTokens - token : kTokens;
      transposeKeys(b, token, count, w);
      multiplyAdd<false>(w.queries, w.dim, w.numQueries, w.keys, kTokens, w.dim, kTokens, w.scores, kTokens);
      for (size_t q = 0; q < w.numQueries; ++q) weigh(b, w, q, token);
      multiplyAdd<true>(w.scores, kTokens, w.numQueries, b.values + token * b.headDim, b.headDim, count, b.headDim,
                        w.mixed, w.dim);
    }
    storeContext(b, w);
  }

 private:
  static size_t padded(size_t headDim) { return (headDim + S::kLanes - 1) / S::kLanes * S::kLanes; }

  /// The parts of the scratch memory.
  struct Work {
    size_t numQueries;
    size_t dim;
    float* queries;  // [queries, dim], scaled by 1 / sqrt(head_dim)
    float* mixed;    // [queries, dim], not yet divided by the sums
    float* scores;   // [queries, kTokens], then the weights
    float* maxima;   // [queries]
    float* sums;     // [queries]
    float* keys;     // [dim, kTokens]

    explicit Work(const AttentionBlock& b) : numQueries(b.numRows * b.groupSize), dim(padded(b.headDim)) {
      keys = static_cast<float*>(b.scratch);
      queries = keys + dim * kTokens;
      mixed = queries + numQueries * dim;
      scores = mixed + numQueries * dim;
      maxima = scores + numQueries * kTokens;
      sums = maxima + numQueries;
    }
  };

  static size_t offset(const AttentionBlock& b, size_t q, size_t rowStride) {
    return q / b.groupSize * rowStride + q % b.groupSize * b.headDim;
  }

  static void loadQueries(const AttentionBlock& b, Work& w) {
    const auto scale = S::broadcast(1.0f / __builtin_sqrtf(static_cast<float>(b.headDim)));
    for (size_t q = 0; q < w.numQueries; ++q) {
      const float* from = b.queries + offset(b, q, b.queryStride);
      eachVector<S>(b.headDim, [&](size_t i, size_t lanes) {
        S::store(w.queries + q * w.dim + i, S::mul(loadLanes<S>(from + i, lanes), scale));
        S::store(w.mixed + q * w.dim + i, S::zero());
      });
      w.maxima[q] = -__builtin_inff();
      w.sums[q] = 0;
    }
  }

  /// keys: [dim, kTokens]; the columns of absent tokens are zero.
  static void transposeKeys(const AttentionBlock& b, size_t token, size_t count, Work& w) {
    for (size_t first = 0; first < kTokens; first += S::kLanes) {
      eachVector<S>(b.headDim, [&](size_t i, size_t lanes) {
        Floats rows[S::kLanes];
        for (size_t t = 0; t < S::kLanes; ++t) {
          const size_t at = (token + first + t) * b.headDim + i;
          rows[t] = first + t < count ? loadLanes<S>(b.keys + at, lanes) : S::zero();
          // Both are read in strides, which the hardware does not foresee: the values soon, the keys in the next tile.
          S::prefetch(b.values + at);
          S::prefetch(b.keys + at + kTokens * b.headDim);
        }
        S::transpose(rows);
        for (size_t k = 0; k < S::kLanes; ++k) S::store(w.keys + (i + k) * kTokens + first, rows[k]);
      });
    }
  }

  /// Turns the scores of one query into weights relative to its largest score so far, and rescales what it has mixed before.
  static void weigh(const AttentionBlock& b, Work& w, size_t q, size_t token) {
    const size_t lastToken = b.firstPosition + q / b.groupSize;
    float* scores = w.scores + q * kTokens;
    const size_t count = lastToken < token ? 0 : (lastToken - token + 1 < kTokens ? lastToken - token + 1 : kTokens);
    for (size_t t = count; t < kTokens; ++t) scores[t] = -__builtin_inff();
    if (count == 0) {
      std::memset(scores, 0, kTokens * sizeof(float));
      return;
    }
    auto most = S::broadcast(w.maxima[q]);
    for (size_t t = 0; t < kTokens; t += S::kLanes) most = S::max(most, S::load(scores + t));
    const float maximum = S::reduceMax(most);
    if (maximum > w.maxima[q]) rescale(w, q, maximum);
    auto sum = S::zero();
    const auto shift = S::broadcast(w.maxima[q]);
    for (size_t t = 0; t < kTokens; t += S::kLanes)
      S::store(scores + t, exponential<S>(S::sub(S::load(scores + t), shift)));
    for (size_t t = count; t < kTokens; ++t) scores[t] = 0;
    for (size_t t = 0; t < kTokens; t += S::kLanes) sum = S::add(sum, S::load(scores + t));
    w.sums[q] += S::reduceAdd(sum);
  }

  static void rescale(Work& w, size_t q, float maximum) {
    alignas(64) float factor[S::kLanes];
    S::store(factor, exponential<S>(S::broadcast(w.maxima[q] - maximum)));
    w.maxima[q] = maximum;
    w.sums[q] *= factor[0];
    const auto scale = S::broadcast(factor[0]);
    float* mixed = w.mixed + q * w.dim;
    for (size_t i = 0; i < w.dim; i += S::kLanes) S::store(mixed + i, S::mul(S::load(mixed + i), scale));
  }

  static void storeContext(const AttentionBlock& b, const Work& w) {
    for (size_t q = 0; q < w.numQueries; ++q) {
      const auto sum = S::broadcast(w.sums[q]);
      float* to = b.context + offset(b, q, b.contextStride);
      eachVector<S>(b.headDim, [&](size_t i, size_t lanes) {
        storeLanes<S>(to + i, S::div(S::load(w.mixed + q * w.dim + i), sum), lanes);
      });
    }
  }

  /**
   * out [numRows, width] = (or +=) a [numRows, depth] times b [depth, width]. Rows of `out` have room for whole vectors;
   * those of b need not.
   */
  template <bool kAccumulate>
  static void multiplyAdd(const float* a, size_t aStride, size_t numRows, const float* b, size_t bStride, size_t depth,
                          size_t width, float* out, size_t outStride) {
    for (size_t row = 0; row < numRows; row += kColumns) {
      const size_t count = numRows - row < kColumns ? numRows - row : kColumns;
      for (size_t column = 0; column < width; column += kVectors * S::kLanes) {
        const size_t lanes = width - column;
        float* to = out + row * outStride + column;
        const float* from = a + row * aStride;
        // Only whole pairs of vectors take the unrolled path: the last one of an odd head_dim would read beyond its row.
        if (count == kColumns && lanes >= kVectors * S::kLanes)
          multiplyTile<kAccumulate, kColumns, kVectors>(from, aStride, b + column, bStride, depth, to, outStride, S::kLanes);
        else
          for (size_t r = 0; r < count; ++r)
            for (size_t v = 0; v < kVectors * S::kLanes && v < lanes; v += S::kLanes)
              multiplyTile<kAccumulate, 1, 1>(from + r * aStride, aStride, b + column + v, bStride, depth,
                                              to + r * outStride + v, outStride,
                                              lanes - v < S::kLanes ? lanes - v : S::kLanes);
      }
    }
  }

  template <bool kAccumulate, size_t kRows, size_t kWidth>
  static inline void multiplyTile(const float* a, size_t aStride, const float* b, size_t bStride, size_t depth, float* out,
                                  size_t outStride, size_t lanes) {
    Floats sums[kRows][kWidth];
    for (size_t r = 0; r < kRows; ++r)
      for (size_t v = 0; v < kWidth; ++v)
        sums[r][v] = kAccumulate ? S::load(out + r * outStride + v * S::kLanes) : S::zero();
    for (size_t k = 0; k < depth; ++k) {
      Floats bs[kWidth];
      for (size_t v = 0; v < kWidth; ++v)
        bs[v] = kWidth > 1 ? S::load(b + k * bStride + v * S::kLanes) : loadLanes<S>(b + k * bStride, lanes);
      for (size_t r = 0; r < kRows; ++r) {
        const Floats factor = S::broadcast(a[r * aStride + k]);
        for (size_t v = 0; v < kWidth; ++v) sums[r][v] = S::fma(factor, bs[v], sums[r][v]);
      }
    }
    for (size_t r = 0; r < kRows; ++r)
      for (size_t v = 0; v < kWidth; ++v) S::store(out + r * outStride + v * S::kLanes, sums[r][v]);
  }
};

}  // namespace expertmesh
