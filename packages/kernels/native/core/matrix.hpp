#pragma once
#include <cstddef>
#include <cstdint>

namespace expertmesh {

/// Bits per weight of a matrix: block-quantised, or plain fp32.
enum class WeightBits : uint8_t { k4 = 4, k8 = 8, k32 = 32 };

/// A weight matrix [out, in] as it lies in a file of the expert store; nothing is owned or copied.
struct Matrix {
  WeightBits bits;
  /// Elements along `in` that share a scale; 0 for fp32.
  size_t block;
  size_t out;
  size_t in;
  /// Quantised: uint8 [out, in / block, block * bits / 8], the even element of a byte in its low nibble. fp32: float [out, in].
  const uint8_t* weights;
  /// float [out, in / block]; weight = scale * (q - 2^(bits - 1)).
  const float* scales;

  size_t numBlocks() const { return block == 0 ? 0 : in / block; }
  size_t rowBytes() const { return in * static_cast<size_t>(bits) / 8; }
  size_t sizeBytes() const { return out * (rowBytes() + numBlocks() * sizeof(float)); }
};

}  // namespace expertmesh
