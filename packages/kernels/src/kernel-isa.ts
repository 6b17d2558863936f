/** Instruction sets that there are kernels for; `portable` is plain C++ and runs everywhere. */
export const KERNEL_ISAS = ['avx512vnni', 'avxvnni', 'avx2', 'neon', 'portable'] as const;
export type KernelIsa = (typeof KERNEL_ISAS)[number];
