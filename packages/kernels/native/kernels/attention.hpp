#pragma once
#include <cstring>

#include "../core/kernel-set.hpp"
#include "kv-elements.hpp"
#include "small-product.hpp"
#include "vector-ops.hpp"

namespace expertmesh {

/**
 * Causal attention over the blocks of a sequence. A stretch of tokens goes three ways: scores of all queries, their softmax, and the
 * values mixed by it; stretches are joined by FlashAttention's recurrence. Scores and mixed values are products of small matrices
 * with one output per lane, and all queries that share a KV head meet its blocks together.
 */
template <class S>
struct Attention {
  using Floats = typename S::Floats;
  /// Of a query's scores: one more cache line than a power of two, so that queries do not compete for the same lines of the cache.
  static constexpr size_t kStride = kSegmentTokens + 16;

  static size_t scratchBytes(size_t numQueries, size_t headDim) {
    const size_t dim = padded(headDim);
    return sizeof(float) * (numQueries * (dim + kStride) + 2 * State::numFloats(numQueries, dim) + dim * kBlockTokens);
  }

  static size_t partialFloats(size_t numQueries, size_t headDim) { return State::numFloats(numQueries, padded(headDim)); }

  static void run(const AttentionRows& rows) {
    const Work w(rows);
    loadQueries(rows, w);
    computeSegment(rows, w, 0, w.total);
    for (size_t segment = 1; segment < rows.numSegments(); ++segment) {
      computeSegment(rows, w, segment, w.part);
      join(w.total, w.part, w);
    }
    storeContext(rows, w, w.total);
  }

  static void runSegment(const AttentionRows& rows, size_t segment, float* partial) {
    const Work w(rows);
    loadQueries(rows, w);
    computeSegment(rows, w, segment, State(partial, w.numQueries, w.dim));
  }

  static void joinSegments(const AttentionRows& rows, float* partials) {
    const Work w(rows);
    const State total(partials, w.numQueries, w.dim);
    for (size_t segment = 1; segment < rows.numSegments(); ++segment) {
      partials += State::numFloats(w.numQueries, w.dim);
      join(total, State(partials, w.numQueries, w.dim), w);
    }
    storeContext(rows, w, total);
  }

 private:
  static size_t padded(size_t headDim) { return (headDim + S::kLanes - 1) / S::kLanes * S::kLanes; }

  /// What a stretch of tokens has made of each query.
  struct State {
    float* mixed;   // [queries, dim], not yet divided by the sums
    float* maxima;  // [queries], the largest scores
    float* sums;    // [queries], of the weights relative to those; 0 where a query sees no token

    State(float* data, size_t numQueries, size_t dim)
        : mixed(data), maxima(mixed + numQueries * dim), sums(maxima + numQueries) {}
    static size_t numFloats(size_t numQueries, size_t dim) { return (numQueries * (dim + 2) + 15) / 16 * 16; }
  };

  /// The parts of the scratch memory.
  struct Work {
    size_t numQueries;
    size_t dim;
    float* queries;  // [queries, dim], scaled by 1 / sqrt(head_dim)
    float* scores;   // [queries, kStride], then the weights
    float* tile;     // a block's keys [dim, kBlockTokens], or its values [kBlockTokens, dim]
    State total;
    State part;

    explicit Work(const AttentionRows& rows)
        : numQueries(rows.numQueries()),
          dim(padded(rows.kv.headDim)),
          queries(static_cast<float*>(rows.scratch)),
          scores(queries + numQueries * dim),
          tile(scores + numQueries * kStride),
          total(tile + dim * kBlockTokens, numQueries, dim),
          part(total.mixed + State::numFloats(numQueries, dim), numQueries, dim) {}
  };

  static size_t offset(const AttentionRows& rows, size_t q, size_t rowStride) {
    return q / rows.groupSize * rowStride + q % rows.groupSize * rows.kv.headDim;
  }

  static void loadQueries(const AttentionRows& rows, const Work& w) {
    const auto scale = S::broadcast(1.0f / __builtin_sqrtf(static_cast<float>(rows.kv.headDim)));
    for (size_t q = 0; q < w.numQueries; ++q) {
      const float* from = rows.queries + offset(rows, q, rows.queryStride);
      eachVector<S>(rows.kv.headDim, [&](size_t i, size_t lanes) {
        S::store(w.queries + q * w.dim + i, S::mul(loadLanes<S>(from + i, lanes), scale));
      });
    }
  }

  static void computeSegment(const AttentionRows& rows, const Work& w, size_t segment, const State& state) {
    withKvElements<S>(rows.kv.dtype, [&](auto elements) { Segment<decltype(elements)>(rows, w, segment).compute(state); });
  }

  /// Attention over one stretch of a cache of one dtype.
  template <class Elements>
  struct Segment {
    using Tile = KvTile<typename Elements::Element>;
    static constexpr bool kIsScaled = sizeof(typename Elements::Element) == 1;
    /// From more queries on, converting a tile once costs less than at each of its uses.
    static constexpr size_t kMaxDirectQueries = 16;

    const AttentionRows& rows;
    const Work& w;
    const size_t first;
    const size_t end;

    Segment(const AttentionRows& rows, const Work& w, size_t segment)
        : rows(rows),
          w(w),
          first(segment * kSegmentTokens),
          end(rows.numTokens() - first < kSegmentTokens ? rows.numTokens() : first + kSegmentTokens) {}

    void compute(const State& state) const {
      for (size_t token = first; token < end; token += kBlockTokens) score(token);
      for (size_t q = 0; q < w.numQueries; ++q) weigh(q, state);
      std::memset(state.mixed, 0, w.numQueries * w.dim * sizeof(float));
      for (size_t token = first; token < end; token += kBlockTokens) mix(token, state);
    }

   private:
    static bool isDirect(size_t numQueries) {
      return sizeof(typename Elements::Element) == sizeof(float) || numQueries <= kMaxDirectQueries;
    }

    void score(size_t token) const {
      const size_t headDim = rows.kv.headDim;
      const Tile tile(rows.kv, token / kBlockTokens);
      const KeySource<S, Elements> keys{tile.keys, headDim};
      float* scores = w.scores + (token - first);
      if (token + kBlockTokens < end) prefetch(Tile(rows.kv, token / kBlockTokens + 1).keys);
      if (isDirect(w.numQueries)) {
        multiply<false>(w.queries, w.dim, keys, headDim, kBlockTokens, scores, kStride);
      } else {
        for (size_t column = 0; column < kBlockTokens; column += S::kLanes)
          for (size_t k = 0; k < headDim; ++k) S::store(w.tile + k * kBlockTokens + column, keys.load(k, column));
        multiply<false>(w.queries, w.dim, FloatSource<S>{w.tile, kBlockTokens}, headDim, kBlockTokens, scores, kStride);
      }
      if constexpr (kIsScaled) scaleColumns(scores, tile.keyScales);
    }

    void mix(size_t token, const State& state) const {
      const size_t headDim = rows.kv.headDim;
      const size_t count = end - token < kBlockTokens ? end - token : kBlockTokens;
      const Tile tile(rows.kv, token / kBlockTokens);
      const ValueSource<S, Elements> values{tile.values, headDim};
      float* weights = w.scores + (token - first);
      if (token + kBlockTokens < end) prefetch(Tile(rows.kv, token / kBlockTokens + 1).values);
      if constexpr (kIsScaled) scaleColumns(weights, tile.valueScales);
      if (isDirect(w.numQueries)) return multiply<true>(weights, kStride, values, count, headDim, state.mixed, w.dim);
      for (size_t k = 0; k < count; ++k)
        eachVector<S>(headDim, [&](size_t i, size_t lanes) {
          S::store(w.tile + k * w.dim + i, lanes == S::kLanes ? values.load(k, i) : values.loadPartial(k, i, lanes));
        });
      multiply<true>(weights, kStride, FloatSource<S>{w.tile, w.dim}, count, headDim, state.mixed, w.dim);
    }

    template <bool kAccumulate, class Source>
    void multiply(const float* a, size_t aStride, Source source, size_t depth, size_t width, float* out, size_t outStride) const {
      SmallProduct<S, kAccumulate, Source>{a, aStride, w.numQueries, source, depth, width, out, outStride}.run();
    }

    /// A tile's keys, or values: the hardware does not foresee the step from one block to the next.
    void prefetch(const typename Elements::Element* p) const {
      const auto* bytes = reinterpret_cast<const uint8_t*>(p);
      const size_t size = kBlockTokens * rows.kv.headDim * sizeof(*p);
      for (size_t i = 0; i < size; i += 64) S::prefetch(bytes + i);
    }

    /// Each query's values for a block's tokens, times the scale of each token.
    void scaleColumns(float* x, const float* scales) const {
      for (size_t t = 0; t < kBlockTokens; t += S::kLanes) {
        const auto scale = S::load(scales + t);
        for (size_t q = 0; q < w.numQueries; ++q)
          S::store(x + q * kStride + t, S::mul(S::load(x + q * kStride + t), scale));
      }
    }

    /// Turns the scores of one query into weights relative to its largest one; those of tokens that it does not see are 0.
    void weigh(size_t q, const State& state) const {
      const size_t numSeen = rows.firstPosition + q / rows.groupSize + 1;
      const size_t count = numSeen <= first ? 0 : (numSeen < end ? numSeen : end) - first;
      const size_t stored = (end - first + kBlockTokens - 1) / kBlockTokens * kBlockTokens;
      float* scores = w.scores + q * kStride;
      for (size_t t = count; t < stored; ++t) scores[t] = -__builtin_inff();
      auto most = S::broadcast(-__builtin_inff());
      for (size_t t = 0; t < count; t += S::kLanes) most = S::max(most, S::load(scores + t));
      const float maximum = S::reduceMax(most);
      const auto shift = S::broadcast(maximum);
      for (size_t t = 0; t < count; t += S::kLanes)
        S::store(scores + t, exponential<S>(S::sub(S::load(scores + t), shift)));
      for (size_t t = count; t < stored; ++t) scores[t] = 0;
      auto sum = S::zero();
      for (size_t t = 0; t < count; t += S::kLanes) sum = S::add(sum, S::load(scores + t));
      state.maxima[q] = maximum;
      state.sums[q] = S::reduceAdd(sum);
    }
  };

  /// total = total and part together.
  static void join(const State& total, const State& part, const Work& w) {
    for (size_t q = 0; q < w.numQueries; ++q) {
      if (part.sums[q] == 0) continue;
      const float maximum = total.maxima[q] > part.maxima[q] ? total.maxima[q] : part.maxima[q];
      const float before = exponentialOf(total.maxima[q] - maximum), added = exponentialOf(part.maxima[q] - maximum);
      total.maxima[q] = maximum;
      total.sums[q] = total.sums[q] * before + part.sums[q] * added;
      const auto scaleBefore = S::broadcast(before), scaleAdded = S::broadcast(added);
      float* mixed = total.mixed + q * w.dim;
      const float* other = part.mixed + q * w.dim;
      for (size_t i = 0; i < w.dim; i += S::kLanes)
        S::store(mixed + i, S::fma(S::load(other + i), scaleAdded, S::mul(S::load(mixed + i), scaleBefore)));
    }
  }

  static float exponentialOf(float x) {
    alignas(64) float values[S::kLanes];
    S::store(values, exponential<S>(S::broadcast(x)));
    return values[0];
  }

  static void storeContext(const AttentionRows& rows, const Work& w, const State& state) {
    for (size_t q = 0; q < w.numQueries; ++q) {
      const auto sum = S::broadcast(state.sums[q]);
      float* to = rows.context + offset(rows, q, rows.contextStride);
      eachVector<S>(rows.kv.headDim, [&](size_t i, size_t lanes) {
        storeLanes<S>(to + i, S::div(S::load(state.mixed + q * w.dim + i), sum), lanes);
      });
    }
  }
};

}  // namespace expertmesh
