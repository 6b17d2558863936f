#include "../kernels/make-kernel-set.hpp"
#include "../simd/avx2.hpp"

namespace expertmesh {

extern constexpr KernelSet kAvxVnniKernels = KernelSetOf<Avx2<true>>::make("avxvnni");

}  // namespace expertmesh
