/** Execution providers of ONNX Runtime that Expertmesh knows, those of GPUs after the CPU's. */
export const ONNX_PROVIDERS = ['cpu', 'webgpu', 'cuda', 'coreml', 'dml'] as const;
export type OnnxProvider = (typeof ONNX_PROVIDERS)[number];

/** What a provider computes best. */
export interface GraphForm {
  /**
   * What MatMulNBits multiplies 8- and 4-bit weights with. `int8`: activations are rounded to 8 bits, 2.2 times the
   * speed on a CPU. `fp32`: they are not, which GPUs need for nothing.
   */
  readonly activations: 'int8' | 'fp32';
  /** Most experts of one graph. */
  readonly maxBranches: number;
}

/**
 * A WebGPU shader may be limited to 8 buffers: those of the branches that have rows, and one for all rows. A Concat of
 * many branches also fails there where none of some that follow each other has rows.
 */
const WEBGPU_MAX_BRANCHES = 7;

/** CoreML has no MatMulNBits: ONNX Runtime leaves such nodes to the CPU. */
export function graphForm(provider: OnnxProvider): GraphForm {
  return {
    activations: provider === 'cpu' || provider === 'coreml' ? 'int8' : 'fp32',
    maxBranches: provider === 'webgpu' ? WEBGPU_MAX_BRANCHES : Infinity,
  };
}

export const CPU_FORM = graphForm('cpu');
