/** Instruction sets that there are kernels for; `portable` is plain C++ and runs everywhere. */
export const KERNEL_ISAS = ['avx512vnni', 'avxvnni', 'avx2', 'neon', 'portable'] as const;
export type KernelIsa = (typeof KERNEL_ISAS)[number];

/** What may be asked for; auto is the best that the CPU has. */
export const ISA_CHOICES = ['auto', ...KERNEL_ISAS] as const;
export type IsaChoice = (typeof ISA_CHOICES)[number];
