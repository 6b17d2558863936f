#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "../core/exact-sum.hpp"

namespace expertmesh {

/// Calls op with the start and the number of lanes of each vector of n floats.
template <class S, class Op>
inline void eachVector(size_t n, Op&& op) {
  for (size_t i = 0; i < n; i += S::kLanes) op(i, n - i < S::kLanes ? n - i : S::kLanes);
}

template <class S>
inline typename S::Floats loadLanes(const float* p, size_t lanes) {
  return lanes == S::kLanes ? S::load(p) : S::loadPartial(p, lanes);
}

template <class S>
inline void storeLanes(float* p, typename S::Floats v, size_t lanes) {
  if (lanes == S::kLanes) S::store(p, v);
  else S::storePartial(p, v, lanes);
}

/**
 * e^x within 2 units in the last place: x = n ln 2 + r, and a polynomial for e^r (the coefficients of Cephes' expf). Below
 * -87 it stays at the smallest normal number, above 88 at the largest power of two; NaN stays NaN.
 */
template <class S>
inline typename S::Floats exponential(typename S::Floats x) {
  const auto bounded = S::min(S::broadcast(88.0f), S::max(S::broadcast(-87.0f), x));
  const auto n = S::roundToInts(S::mul(bounded, S::broadcast(1.44269504f)));
  const auto whole = S::toFloats(n);
  auto r = S::fma(whole, S::broadcast(-0.693359375f), bounded);
  r = S::fma(whole, S::broadcast(2.12194440e-4f), r);
  auto p = S::broadcast(1.9875691500e-4f);
  p = S::fma(p, r, S::broadcast(1.3981999507e-3f));
  p = S::fma(p, r, S::broadcast(8.3334519073e-3f));
  p = S::fma(p, r, S::broadcast(4.1665795894e-2f));
  p = S::fma(p, r, S::broadcast(1.6666665459e-1f));
  p = S::fma(p, r, S::broadcast(5.0000001201e-1f));
  const auto power = S::fma(S::mul(r, r), p, S::add(r, S::broadcast(1.0f)));
  return S::mul(power, S::powerOfTwo(n));
}

template <class S>
void rmsNorm(const float* x, const float* weight, float epsilon, size_t n, float* out) {
  auto squares = S::zero();
  eachVector<S>(n, [&](size_t i, size_t lanes) {
    const auto v = loadLanes<S>(x + i, lanes);
    squares = S::fma(v, v, squares);
  });
  const float meanSquare = S::reduceAdd(squares) / static_cast<float>(n);
  const auto inverse = S::broadcast(1.0f / __builtin_sqrtf(meanSquare + epsilon));
  eachVector<S>(n, [&](size_t i, size_t lanes) {
    const auto v = S::mul(loadLanes<S>(x + i, lanes), inverse);
    storeLanes<S>(out + i, S::mul(v, loadLanes<S>(weight + i, lanes)), lanes);
  });
}

template <class S>
void siluMultiply(const float* gate, const float* up, size_t n, float* out) {
  const auto one = S::broadcast(1.0f);
  eachVector<S>(n, [&](size_t i, size_t lanes) {
    const auto g = loadLanes<S>(gate + i, lanes);
    const auto silu = S::div(g, S::add(one, exponential<S>(S::sub(S::zero(), g))));
    storeLanes<S>(out + i, S::mul(silu, loadLanes<S>(up + i, lanes)), lanes);
  });
}

template <class S>
void softmax(float* x, size_t n) {
  float most = x[0];
  for (size_t i = 1; i < n; ++i) most = x[i] > most ? x[i] : most;
  const auto shift = S::broadcast(most);
  float sum = 0;
  eachVector<S>(n, [&](size_t i, size_t lanes) {
    storeLanes<S>(x + i, exponential<S>(S::sub(loadLanes<S>(x + i, lanes), shift)), lanes);
  });
  for (size_t i = 0; i < n; ++i) sum += x[i];
  const auto divisor = S::broadcast(sum);
  eachVector<S>(n, [&](size_t i, size_t lanes) {
    storeLanes<S>(x + i, S::div(loadLanes<S>(x + i, lanes), divisor), lanes);
  });
}

template <class S>
void addScaled(const float* x, float weight, size_t n, float* out) {
  const auto factor = S::broadcast(weight);
  eachVector<S>(n, [&](size_t i, size_t lanes) {
    storeLanes<S>(out + i, S::fma(factor, loadLanes<S>(x + i, lanes), loadLanes<S>(out + i, lanes)), lanes);
  });
}

/// The largest magnitude, and NaN above all of them.
template <class S>
inline float largestOf(typename S::Ints magnitudes) {
  const int32_t bits = S::reduceMax(magnitudes);
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

/// x to the nearest multiple of a power of two, of which `shifter` is 1.5 * 2^23: there fp32 has no finer steps.
template <class S>
inline typename S::Floats roundBy(typename S::Floats x, typename S::Floats shifter) {
  return S::sub(S::add(x, shifter), shifter);
}

template <class S>
float largestMagnitude(const float* x, size_t n) {
  auto largest = S::broadcastInt(0);
  eachVector<S>(n, [&](size_t i, size_t lanes) { largest = S::maxMagnitude(largest, loadLanes<S>(x + i, lanes)); });
  return largestOf<S>(largest);
}

template <class S>
void addRounded(const float* x, float weight, float unit, size_t n, float* out) {
  const auto factor = S::broadcast(weight), shifter = S::broadcast(kShifterUnits * unit);
  eachVector<S>(n, [&](size_t i, size_t lanes) {
    const auto term = S::mul(factor, loadLanes<S>(x + i, lanes));
    storeLanes<S>(out + i, S::add(loadLanes<S>(out + i, lanes), roundBy<S>(term, shifter)), lanes);
  });
}

template <class S>
void addInParts(const float* x, float weight, float unit, size_t n, float* out, float* high) {
  const auto factor = S::broadcast(weight), shifter = S::broadcast(kShifterUnits * unit);
  const auto highShifter = S::broadcast(kShifterUnits * unit * kHighUnits);
  eachVector<S>(n, [&](size_t i, size_t lanes) {
    const auto term = S::mul(factor, loadLanes<S>(x + i, lanes));
    const auto highPart = roundBy<S>(term, highShifter);
    storeLanes<S>(high + i, S::add(loadLanes<S>(high + i, lanes), highPart), lanes);
    storeLanes<S>(out + i, S::add(loadLanes<S>(out + i, lanes), roundBy<S>(S::sub(term, highPart), shifter)), lanes);
  });
}

template <class S>
void rotate(const float* cos, const float* sin, size_t headDim, float* head) {
  const size_t half = headDim / 2;
  eachVector<S>(half, [&](size_t i, size_t lanes) {
    const auto c = loadLanes<S>(cos + i, lanes);
    const auto s = loadLanes<S>(sin + i, lanes);
    const auto first = loadLanes<S>(head + i, lanes);
    const auto second = loadLanes<S>(head + half + i, lanes);
    storeLanes<S>(head + i, S::sub(S::mul(first, c), S::mul(second, s)), lanes);
    storeLanes<S>(head + half + i, S::fma(second, c, S::mul(first, s)), lanes);
  });
}

template <class S>
double readAll(const void* p, size_t numBytes) {
  const auto* bytes = static_cast<const uint8_t*>(p);
  typename S::Ints sums[4] = {S::broadcastInt(0), S::broadcastInt(0), S::broadcastInt(0), S::broadcastInt(0)};
  for (size_t i = 0; i + 4 * S::kBytes <= numBytes; i += 4 * S::kBytes)
    for (size_t k = 0; k < 4; ++k) sums[k] = S::maxMagnitude(sums[k], S::asFloats(S::loadBytes(bytes + i + k * S::kBytes)));
  int32_t most = 0;
  for (auto sum : sums) {
    const int32_t value = S::reduceMax(sum);
    most = value > most ? value : most;
  }
  return most;
}

template <class S>
double multiplyAll(const void* p, size_t numBytes, size_t numTimes) {
  // As many sums side by side as hide an instruction's latency and have registers.
  constexpr bool kIsWidened = S::kMaxNibbleDots <= 8;
  constexpr size_t kChains = S::kBytes >= 64 ? 16 : kIsWidened ? 4 : 8;
  constexpr size_t kDots = kIsWidened ? 8 : 4;
  const auto* bytes = static_cast<const uint8_t*>(p);
  typename S::Ints sums[kChains];
  for (auto& sum : sums) sum = S::broadcastInt(0);
  const auto weights = S::lowNibbles(S::loadBytes(bytes));
  for (size_t time = 0; time < numTimes; ++time) {
    for (size_t i = 0; i + kChains * kDots * S::kBytes <= numBytes; i += kChains * kDots * S::kBytes) {
      typename S::NibbleSums dots[kChains];
      for (size_t c = 0; c < kChains; ++c) dots[c] = S::beginNibbles(sums[c]);
      for (size_t k = 0; k < kDots; ++k)
        for (size_t c = 0; c < kChains; ++c)
          dots[c] = S::dotNibbles(dots[c], weights, S::loadBytes(bytes + i + (k * kChains + c) * S::kBytes));
      for (size_t c = 0; c < kChains; ++c) sums[c] = S::endNibbles(sums[c], dots[c]);
    }
  }
  int32_t most = 0;
  for (auto sum : sums) {
    const int32_t value = S::reduceMax(sum);
    most = value > most ? value : most;
  }
  return most;
}

}  // namespace expertmesh
