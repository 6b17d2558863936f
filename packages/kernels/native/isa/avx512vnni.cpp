#include "../kernels/make-kernel-set.hpp"
#include "../simd/avx512vnni.hpp"

namespace expertmesh {

extern constexpr KernelSet kAvx512VnniKernels = KernelSetOf<Avx512Vnni>::make("avx512vnni");

}  // namespace expertmesh
