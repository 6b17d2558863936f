#pragma once
#include <cmath>
#include <cstring>
#include <vector>

#include "../core/matrix.hpp"

namespace expertmesh::test {

inline double weightAt(const Matrix& m, size_t row, size_t column) {
  if (m.bits == WeightBits::k32) {
    float value;
    std::memcpy(&value, m.weights + (row * m.in + column) * 4, 4);
    return value;
  }
  const double scale = m.scales[row * m.numBlocks() + column / m.block];
  if (m.bits == WeightBits::k8) return scale * (m.weights[row * m.in + column] - 128);
  const int byte = m.weights[(row * m.in + column) / 2];
  return scale * ((column % 2 == 0 ? byte & 15 : byte >> 4) - 8);
}

/// What int8 activations with a scale a block make of x.
inline std::vector<double> rounded(const Matrix& m, const float* x) {
  std::vector<double> values(x, x + m.in);
  if (m.bits == WeightBits::k32) return values;
  for (size_t start = 0; start < m.in; start += m.block) {
    float most = 0;
    for (size_t i = 0; i < m.block; ++i) most = std::fmax(most, std::fabs(x[start + i]));
    const float inverse = most > 0 ? 127.0f / most : 0.0f;
    for (size_t i = 0; i < m.block; ++i)
      values[start + i] = std::nearbyint(x[start + i] * inverse) * static_cast<double>(most / 127.0f);
  }
  return values;
}

/// The largest size that a weight can have: what rounding is relative to where weights enter products with their zero point.
inline double weightBound(const Matrix& m, size_t out, size_t i) {
  if (m.bits == WeightBits::k32) return std::fabs(weightAt(m, out, i));
  return std::fabs(m.scales[out * m.numBlocks() + i / m.block]) * (1 << (static_cast<int>(m.bits) - 1));
}

/// [rows, out]; `magnitude` receives for each the sum of the terms' largest sizes, to which rounding is relative.
inline std::vector<float> product(const Matrix& m, const std::vector<float>& x, std::vector<double>* magnitude = nullptr) {
  std::vector<float> y;
  for (size_t start = 0; start < x.size(); start += m.in) {
    const auto row = rounded(m, x.data() + start);
    for (size_t out = 0; out < m.out; ++out) {
      double sum = 0, size = 0;
      for (size_t i = 0; i < m.in; ++i) {
        sum += weightAt(m, out, i) * row[i];
        size += weightBound(m, out, i) * std::fabs(row[i]);
      }
      y.push_back(static_cast<float>(sum));
      if (magnitude != nullptr) magnitude->push_back(size);
    }
  }
  return y;
}

inline std::vector<float> normed(const std::vector<float>& x, const float* weight, size_t size, float epsilon) {
  std::vector<float> y(x.size());
  for (size_t start = 0; start < x.size(); start += size) {
    double squares = 0;
    for (size_t i = 0; i < size; ++i) squares += double{x[start + i]} * x[start + i];
    const double inverse = 1 / std::sqrt(squares / static_cast<double>(size) + epsilon);
    for (size_t i = 0; i < size; ++i) y[start + i] = static_cast<float>(x[start + i] * inverse * weight[i]);
  }
  return y;
}

inline std::vector<float> siluTimes(const float* gate, const float* up, size_t n) {
  std::vector<float> y(n);
  for (size_t i = 0; i < n; ++i) y[i] = static_cast<float>(gate[i] / (1 + std::exp(-double{gate[i]})) * up[i]);
  return y;
}

}  // namespace expertmesh::test
