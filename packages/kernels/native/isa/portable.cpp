#include "../kernels/make-kernel-set.hpp"
#include "../simd/portable.hpp"

namespace expertmesh {

extern constexpr KernelSet kPortableKernels = KernelSetOf<Portable>::make("portable");

}  // namespace expertmesh
