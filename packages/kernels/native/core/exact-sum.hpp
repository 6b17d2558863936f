#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace expertmesh {

/*
 * Sums whose bits do not depend on how their terms are grouped, as in Demmel and Nguyen, "Fast reproducible floating-point summation"
 * (2013): every term is rounded to a multiple of one power of two, the row's unit, which is coarse enough that no sum of the terms
 * needs more than the 24 bits of fp32. So additions are exact, in whatever order. A term that is too large for that is divided into a
 * multiple of unit * kHighUnits and the rest, which are summed apart.
 */

/// Terms of a sum at most.
constexpr size_t kMaxExactTerms = 16;
/// Sixteen terms of at most half of it are below 2^24.
constexpr float kHighUnits = 0x1p21f;
/// Adding 1.5 * 2^23 units leaves no bits below a unit.
constexpr float kShifterUnits = 0x1.8p23f;

/// Products beyond it have a high part.
inline float highestLowPart(float unit) { return unit * (kHighUnits / 2); }
/// Products beyond it cannot be summed exactly, also in two parts.
inline float highestTerm(float unit) { return unit * kHighUnits * (kHighUnits / 2); }

inline bool isSumUnit(float value) {
  constexpr int32_t kFraction = 0x7fffff;
  int32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return (bits & kFraction) == 0 && value >= 0x1p-100f && value <= 0x1p80f;
}

/**
 * The unit for what is added to this residual: with it, terms of 2 to 4 times the residual's largest magnitude have no high part. A
 * function of the row alone. shared/src/rpc/sum-units.ts has the same.
 */
inline float sumUnit(const float* residual, size_t n) {
  int32_t largest = 0;
  for (size_t i = 0; i < n; ++i) {
    int32_t bits;
    std::memcpy(&bits, residual + i, sizeof(bits));
    bits &= 0x7fffffff;
    largest = bits > largest ? bits : largest;
  }
  // The exponent of the largest magnitude, less 18; within what leaves room for the high parts, and for a fraction.
  constexpr int32_t kExponentShift = 23, kBelow = 18, kLeast = 27, kMost = 207;
  int32_t exponent = (largest >> kExponentShift) - kBelow;
  exponent = exponent < kLeast ? kLeast : (exponent > kMost ? kMost : exponent);
  const int32_t bits = exponent << kExponentShift;
  float unit;
  std::memcpy(&unit, &bits, sizeof(unit));
  return unit;
}

}  // namespace expertmesh
