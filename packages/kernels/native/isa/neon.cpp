#include "../kernels/make-kernel-set.hpp"
#include "../simd/neon.hpp"

namespace expertmesh {

extern constexpr KernelSet kNeonKernels = KernelSetOf<Neon>::make("neon");

}  // namespace expertmesh
