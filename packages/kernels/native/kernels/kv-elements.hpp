#pragma once
#include <cstring>

#include "../core/kv-layout.hpp"

namespace expertmesh {

/// The elements of a KV cache of one dtype, as fp32 vectors; int8 without its scales.
template <class S, KvDtype kDtype>
struct KvElements;

template <class S>
struct KvElements<S, KvDtype::kFp32> {
  using Element = float;
  static typename S::Floats load(const Element* p) { return S::load(p); }
  static void store(Element* p, typename S::Floats v) { S::store(p, v); }
};

template <class S>
struct KvElements<S, KvDtype::kFp16> {
  using Element = uint16_t;
  static typename S::Floats load(const Element* p) { return S::loadFp16(p); }
  static void store(Element* p, typename S::Floats v) { S::storeFp16(p, v); }
};

template <class S>
struct KvElements<S, KvDtype::kInt8> {
  using Element = int8_t;
  static typename S::Floats load(const Element* p) { return S::loadInt8(p); }
  static void store(Element* p, typename S::Floats v) { S::storeInt8(p, S::roundToInts(v)); }
};

/// Calls op with the KvElements of a dtype.
template <class S, class Op>
inline void withKvElements(KvDtype dtype, Op&& op) {
  if (dtype == KvDtype::kFp32) op(KvElements<S, KvDtype::kFp32>{});
  else if (dtype == KvDtype::kFp16) op(KvElements<S, KvDtype::kFp16>{});
  else op(KvElements<S, KvDtype::kInt8>{});
}

/// The parts of a head in one block, see KvLayout.
template <class Element>
struct KvTile {
  /// [4, head_dim, 8 tokens]
  Element* keys;
  /// [32 tokens, head_dim]
  Element* values;
  /// fp32 [32] each, of int8 alone.
  float* keyScales;
  float* valueScales;

  KvTile(const KvHead& head, size_t block) {
    const size_t size = kBlockTokens * head.headDim;
    keys = reinterpret_cast<Element*>(head.at(block));
    values = keys + size;
    keyScales = reinterpret_cast<float*>(values + size);
    valueScales = keyScales + kBlockTokens;
  }
};

/// Keys of a tile, one vector of tokens at a time.
template <class S, class Elements>
struct KeySource {
  const typename Elements::Element* keys;
  size_t headDim;

  /// The tokens from `column` on, of dimension k.
  typename S::Floats load(size_t k, size_t column) const {
    const auto* p = keys + (column / kKeyTokens * headDim + k) * kKeyTokens + column % kKeyTokens;
    if constexpr (S::kLanes <= kKeyTokens) return Elements::load(p);
    else return S::loadHalves(p, p + headDim * kKeyTokens);
  }
  /// A tile's tokens are whole vectors.
  typename S::Floats loadPartial(size_t k, size_t column, size_t) const { return load(k, column); }
};

/// Values of a tile, one vector of dimensions at a time.
template <class S, class Elements>
struct ValueSource {
  const typename Elements::Element* values;
  size_t headDim;

  typename S::Floats load(size_t k, size_t column) const { return Elements::load(values + k * headDim + column); }
  typename S::Floats loadPartial(size_t k, size_t column, size_t lanes) const {
    typename Elements::Element padded[S::kLanes] = {};
    std::memcpy(padded, values + k * headDim + column, lanes * sizeof(padded[0]));
    return Elements::load(padded);
  }
};

/// fp32 rows that have room for whole vectors.
template <class S>
struct FloatSource {
  const float* data;
  size_t stride;

  typename S::Floats load(size_t k, size_t column) const { return S::load(data + k * stride + column); }
  typename S::Floats loadPartial(size_t k, size_t column, size_t) const { return load(k, column); }
};

}  // namespace expertmesh
