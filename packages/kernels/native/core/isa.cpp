#include "isa.hpp"

#include "require.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace expertmesh {

extern const KernelSet kPortableKernels;

#if defined(__x86_64__)
extern const KernelSet kAvx512VnniKernels;
extern const KernelSet kAvxVnniKernels;
extern const KernelSet kAvx2Kernels;

namespace {

/// AVX-VNNI is leaf 7, subleaf 1, EAX bit 4; compilers of its time do not know its name.
bool hasAvxVnni() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax >> 4 & 1) != 0;
}

/// Leaf 1, ECX bit 29; older compilers do not know its name either. It uses the registers of AVX.
bool hasF16c() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx >> 29 & 1) != 0;
}

}  // namespace

// The compiler's checks include the operating system's support for the wide registers.
std::vector<const KernelSet*> supportedKernelSets() {
  std::vector<const KernelSet*> sets;
  const bool hasAvx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && hasF16c();
  if (hasAvx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni"))
    sets.push_back(&kAvx512VnniKernels);
  if (hasAvx2 && hasAvxVnni()) sets.push_back(&kAvxVnniKernels);
  if (hasAvx2) sets.push_back(&kAvx2Kernels);
  sets.push_back(&kPortableKernels);
  return sets;
}

#elif defined(__aarch64__)
extern const KernelSet kNeonKernels;

std::vector<const KernelSet*> supportedKernelSets() {
#if defined(__linux__)
  const bool hasDotProduct = (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#else
  const bool hasDotProduct = true;  // Every Apple CPU has it.
#endif
  if (hasDotProduct) return {&kNeonKernels, &kPortableKernels};
  return {&kPortableKernels};
}

#else

std::vector<const KernelSet*> supportedKernelSets() { return {&kPortableKernels}; }

#endif

const KernelSet& kernelSetNamed(const std::string& name) {
  const auto sets = supportedKernelSets();
  if (name.empty()) return *sets.front();
  std::string names;
  for (const KernelSet* set : sets) {
    if (name == set->name) return *set;
    names += std::string(names.empty() ? "" : ", ") + set->name;
  }
  throw InvalidArgument("this CPU cannot run the kernels " + name + "; it can run " + names);
}

}  // namespace expertmesh
