#pragma once
#include <cmath>
#include <cstring>
#include <vector>

#include "../core/kv-pool.hpp"
#include "random-weights.hpp"

namespace expertmesh::test {

/// An fp16 in plain arithmetic.
inline double fromHalf(uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const double magnitude = exponent == 31 ? (mantissa == 0 ? INFINITY : NAN)
                                          : std::ldexp(exponent == 0 ? mantissa : mantissa + 1024, (exponent == 0 ? 1 : exponent) - 25);
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

/// To nearest, ties to even.
inline uint16_t toHalf(double value) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  if (std::isnan(value)) return 0x7e00;
  const double magnitude = std::fabs(value);
  if (magnitude >= 65520) return sign | 0x7c00;
  const int exponent = magnitude == 0 ? -14 : std::max(std::ilogb(magnitude), -14);
  const auto steps = static_cast<int>(std::nearbyint(std::ldexp(magnitude, 10 - exponent)));
  // A step to the next power of two carries into the exponent.
  return static_cast<uint16_t>(sign | (((exponent + 14) << 10) + steps));
}

/// A pool in ordinary memory, whose blocks are handed out in a random order.
class PlainPool {
 public:
  PlainPool(KvLayout layout, size_t numBlocks, size_t numSlabs = 1) : layout(layout) {
    std::vector<Span<uint8_t>> spans;
    for (size_t i = 0; i < numSlabs; ++i) {
      const size_t count = (numBlocks + numSlabs - 1) / numSlabs;
      const size_t left = numBlocks - i * count;
      slabs_.emplace_back((left < count ? left : count) * layout.blockBytes());
      // What was there before must not be seen: NaN in every dtype that has it.
      std::memset(slabs_.back().data(), 0xff, slabs_.back().size());
    }
    for (auto& slab : slabs_) spans.push_back({slab.data(), slab.size()});
    pool = std::make_unique<const KvPool>(layout, spans);
    for (size_t i = 0; i < numBlocks; ++i) free_.insert(free_.begin() + static_cast<std::ptrdiff_t>(randomBelow(i + 1)), static_cast<int32_t>(i));
  }

  int32_t take() {
    const int32_t id = free_.back();
    free_.pop_back();
    return id;
  }

  std::vector<std::vector<uint8_t>> bytes() const { return slabs_; }
  void restore(const std::vector<std::vector<uint8_t>>& bytes) {
    for (size_t i = 0; i < bytes.size(); ++i) std::copy(bytes[i].begin(), bytes[i].end(), slabs_[i].begin());
  }

  const KvLayout layout;
  std::unique_ptr<const KvPool> pool;

 private:
  std::vector<std::vector<uint8_t>> slabs_;
  std::vector<int32_t> free_;
};

/// The blocks of one sequence, read and written element by element.
class PlainKv {
 public:
  PlainKv(PlainPool& pool, size_t numTokens) : layout_(pool.layout) {
    std::vector<int32_t> ids;
    for (size_t i = 0; i < (numTokens + kBlockTokens - 1) / kBlockTokens; ++i) ids.push_back(pool.take());
    pool.pool->appendBlocks({ids.data(), ids.size()}, blocks_);
  }

  Span<uint8_t* const> blocks() const { return {blocks_.data(), blocks_.size()}; }
  KvHead head(size_t layer, size_t kvHead) const {
    return {layout_.dtype, layout_.headDim, blocks_.data(), layout_.headOffset(layer, kvHead)};
  }

  std::vector<float> key(size_t layer, size_t kvHead, size_t token) const { return read(layer, kvHead, token, true); }
  std::vector<float> value(size_t layer, size_t kvHead, size_t token) const { return read(layer, kvHead, token, false); }

  void store(size_t layer, size_t kvHead, size_t token, const float* key, const float* value) {
    write(layer, kvHead, token, true, key);
    write(layer, kvHead, token, false, value);
  }

 private:
  uint8_t* element(size_t layer, size_t kvHead, size_t token, bool isKey, size_t i) const {
    const size_t t = token % kBlockTokens, half = kBlockTokens * layout_.headDim;
    const size_t index = isKey ? t / 8 * layout_.headDim * 8 + i * 8 + t % 8 : half + t * layout_.headDim + i;
    return blocks_[token / kBlockTokens] + layout_.headOffset(layer, kvHead) + index * layout_.elementBytes();
  }

  uint8_t* scale(size_t layer, size_t kvHead, size_t token, bool isKey) const {
    const size_t index = token % kBlockTokens + (isKey ? 0 : kBlockTokens);
    const size_t end = layout_.headOffset(layer, kvHead) + 2 * kBlockTokens * layout_.headDim;
    return blocks_[token / kBlockTokens] + end + index * 4;
  }

  std::vector<float> read(size_t layer, size_t kvHead, size_t token, bool isKey) const {
    std::vector<float> row;
    float factor = 1;
    if (layout_.dtype == KvDtype::kInt8) std::memcpy(&factor, scale(layer, kvHead, token, isKey), 4);
    for (size_t i = 0; i < layout_.headDim; ++i) {
      const uint8_t* at = element(layer, kvHead, token, isKey, i);
      float value;
      uint16_t half;
      std::memcpy(&value, at, layout_.dtype == KvDtype::kFp32 ? 4 : 1);
      std::memcpy(&half, at, layout_.dtype == KvDtype::kFp16 ? 2 : 1);
      if (layout_.dtype == KvDtype::kFp16) value = static_cast<float>(fromHalf(half));
      if (layout_.dtype == KvDtype::kInt8) value = static_cast<float>(static_cast<int8_t>(*at)) * factor;
      row.push_back(value);
    }
    return row;
  }

  void write(size_t layer, size_t kvHead, size_t token, bool isKey, const float* row) {
    float most = 0;
    for (size_t i = 0; i < layout_.headDim; ++i) most = std::fmax(most, std::fabs(row[i]));
    const float factor = most / 127;
    if (layout_.dtype == KvDtype::kInt8) std::memcpy(scale(layer, kvHead, token, isKey), &factor, 4);
    for (size_t i = 0; i < layout_.headDim; ++i) {
      uint8_t* at = element(layer, kvHead, token, isKey, i);
      const uint16_t half = toHalf(row[i]);
      if (layout_.dtype == KvDtype::kFp32) std::memcpy(at, &row[i], 4);
      if (layout_.dtype == KvDtype::kFp16) std::memcpy(at, &half, 2);
      if (layout_.dtype == KvDtype::kInt8) *at = static_cast<uint8_t>(static_cast<int8_t>(most > 0 ? std::nearbyint(row[i] * (127 / most)) : 0));
    }
  }

  KvLayout layout_;
  std::vector<uint8_t*> blocks_;
};

inline const char* nameOf(KvDtype dtype) {
  return dtype == KvDtype::kFp32 ? "fp32" : (dtype == KvDtype::kFp16 ? "fp16" : "int8");
}

constexpr KvDtype kAllKvDtypes[] = {KvDtype::kFp32, KvDtype::kFp16, KvDtype::kInt8};

}  // namespace expertmesh::test
