#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>

namespace expertmesh {

/**
 * The k largest of n probabilities, largest first; of equal ones the lower index. Overwrites those that it takes. Where they are
 * NaN, so are the weights.
 */
inline void takeTopK(float* values, size_t n, size_t k, bool normalise, int32_t* ids, float* weights) {
  float sum = 0;
  for (size_t i = 0; i < k; ++i) {
    size_t best = 0;
    for (size_t j = 1; j < n; ++j) best = values[j] > values[best] ? j : best;
    ids[i] = static_cast<int32_t>(best);
    weights[i] = values[best] >= 0 ? values[best] : std::numeric_limits<float>::quiet_NaN();
    sum += weights[i];
    // Probabilities are not negative, so that this one is not taken again while there are others.
    values[best] = -1;
  }
  for (size_t i = 0; normalise && i < k; ++i) weights[i] /= sum;
}

}  // namespace expertmesh
