#pragma once
#include <cstring>

#include "../core/kernel-set.hpp"
#include "kv-elements.hpp"
#include "vector-ops.hpp"

namespace expertmesh {

/// Writes rows of keys and values to the blocks of a sequence, in the cache's dtype.
template <class S>
struct KvStore {
  template <class Elements>
  static void run(const KvRows& rows) {
    for (size_t row = 0; row < rows.numRows; ++row) {
      const size_t token = rows.position + row;
      const KvTile<typename Elements::Element> tile(rows.to, token / kBlockTokens);
      storeKey<Elements>(tile, token % kBlockTokens, rows.keys + row * rows.stride, rows.to.headDim);
      storeValue<Elements>(tile, token % kBlockTokens, rows.values + row * rows.stride, rows.to.headDim);
    }
  }

 private:
  template <class Elements>
  static void storeKey(const KvTile<typename Elements::Element>& tile, size_t token, const float* key, size_t headDim) {
    const auto factor = S::broadcast(factorOf<Elements>(key, headDim, tile.keyScales + token));
    auto* to = tile.keys + token / kKeyTokens * headDim * kKeyTokens + token % kKeyTokens;
    eachVector<S>(headDim, [&](size_t i, size_t lanes) {
      typename Elements::Element stored[S::kLanes];
      Elements::store(stored, S::mul(loadLanes<S>(key + i, lanes), factor));
      for (size_t lane = 0; lane < lanes; ++lane) to[(i + lane) * kKeyTokens] = stored[lane];
    });
  }

  template <class Elements>
  static void storeValue(const KvTile<typename Elements::Element>& tile, size_t token, const float* value, size_t headDim) {
    const auto factor = S::broadcast(factorOf<Elements>(value, headDim, tile.valueScales + token));
    eachVector<S>(headDim, [&](size_t i, size_t lanes) {
      typename Elements::Element stored[S::kLanes];
      Elements::store(stored, S::mul(loadLanes<S>(value + i, lanes), factor));
      std::memcpy(tile.values + token * headDim + i, stored, lanes * sizeof(stored[0]));
    });
  }

  /// What a row is multiplied by before it is stored; int8 writes its scale, too. A NaN becomes the scale, so that it is not lost.
  template <class Elements>
  static float factorOf(const float* row, size_t headDim, float* scale) {
    if constexpr (sizeof(typename Elements::Element) > 1) return 1;
    else {
      auto most = S::broadcastInt(0);
      eachVector<S>(headDim, [&](size_t i, size_t lanes) { most = S::maxMagnitude(most, loadLanes<S>(row + i, lanes)); });
      const int32_t bits = S::reduceMax(most);
      float magnitude;
      std::memcpy(&magnitude, &bits, sizeof(magnitude));
      *scale = magnitude / 127.0f;
      return magnitude > 0 ? 127.0f / magnitude : 0.0f;
    }
  }
};

template <class S>
void storeKv(const KvRows& rows) {
  withKvElements<S>(rows.to.dtype, [&](auto elements) { KvStore<S>::template run<decltype(elements)>(rows); });
}

}  // namespace expertmesh
