#include "../kernels/make-kernel-set.hpp"
#include "../simd/avx2.hpp"

namespace expertmesh {

extern constexpr KernelSet kAvx2Kernels = KernelSetOf<Avx2<false>>::make("avx2");

}  // namespace expertmesh
