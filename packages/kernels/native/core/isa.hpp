#pragma once
#include <string>
#include <vector>

#include "kernel-set.hpp"

namespace expertmesh {

/// The kernel sets that this CPU can run, best first; the portable one is always among them.
std::vector<const KernelSet*> supportedKernelSets();

/// The set of that name, or the best one for an empty name. Throws InvalidArgument for one that this CPU cannot run.
const KernelSet& kernelSetNamed(const std::string& name);

}  // namespace expertmesh
