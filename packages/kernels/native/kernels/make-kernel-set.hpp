#pragma once
#include "../core/kernel-set.hpp"
#include "attention.hpp"
#include "dot-kernel.hpp"
#include "float-product.hpp"
#include "ordered-dot-kernel.hpp"
#include "quantise.hpp"
#include "store-kv.hpp"
#include "tile-kernel.hpp"
#include "vector-ops.hpp"

namespace expertmesh {

/**
 * Instantiates every kernel for one instruction set. Each set is compiled in a translation unit of its own with its own
 * compiler flags. Nothing here may use inline functions of the standard library: the linker keeps one copy of those, perhaps
 * the one with instructions that another CPU lacks. All templates carry S, so that their copies are distinct.
 */
template <class S>
struct KernelSetOf {
  /// Calls op with the Quantisation that the matrix has.
  template <class Op>
  static void withQuantisation(const Matrix& matrix, Op&& op) {
    if (matrix.bits == WeightBits::k4) {
      if (matrix.block == 32) op(Quantisation<4, 32>{});
      if (matrix.block == 64) op(Quantisation<4, 64>{});
      if (matrix.block == 128) op(Quantisation<4, 128>{});
    } else if (matrix.bits == WeightBits::k8) {
      if (matrix.block == 32) op(Quantisation<8, 32>{});
      if (matrix.block == 64) op(Quantisation<8, 64>{});
      if (matrix.block == 128) op(Quantisation<8, 128>{});
    }
  }

  static void quantise(const Matrix& matrix, const ActivationLayout& layout, const float* x, void* row) {
    withQuantisation(matrix, [&](auto q) { Quantiser<S, q.kBits, q.kBlock>::run(layout, x, row); });
  }

  static void multiply(const Product& p) {
    if (p.matrix->bits == WeightBits::k32) return FloatProduct<S>::run(p);
    withQuantisation(*p.matrix, [&](auto q) {
      if (p.numActivations >= S::kTileMinActivations) TileKernel<S, q.kBits, q.kBlock>::run(p);
      else if (p.numerics == Numerics::kInvariant) OrderedDotKernel<S, q.kBits, q.kBlock>::run(p);
      else DotKernel<S, q.kBits, q.kBlock>::run(p);
    });
  }

  /// The kernels for few rows need less than the one for many.
  static size_t productScratchBytes(const Matrix& matrix) {
    size_t bytes = 0;
    withQuantisation(matrix, [&](auto q) { bytes = TileKernel<S, q.kBits, q.kBlock>::scratchBytes(matrix); });
    return bytes;
  }

  /// A constant, so that no code of another instruction set runs when the library is loaded.
  static constexpr KernelSet make(const char* name) {
    using A = Attention<S>;
    return {name,           S::kBytes,        quantise,       multiply,        productScratchBytes,
            storeKv<S>,     A::run,           A::runSegment,  A::joinSegments, A::scratchBytes,
            A::partialFloats, rmsNorm<S>,     siluMultiply<S>, softmax<S>,     addScaled<S>,
            largestMagnitude<S>, addRounded<S>, addInParts<S>, rotate<S>,      readAll<S>,
            multiplyAll<S>};
  }

 private:
  template <size_t kBitsValue, size_t kBlockValue>
  struct Quantisation {
    static constexpr size_t kBits = kBitsValue;
    static constexpr size_t kBlock = kBlockValue;
  };
};

}  // namespace expertmesh
