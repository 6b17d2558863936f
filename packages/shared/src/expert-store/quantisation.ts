import { ExpertmeshError } from '../errors/expertmesh-error.js';

/** Bits per weight of the large matrices. Norms, biases and router are always fp32. */
export const WEIGHT_BITS = [4, 8, 16, 32] as const;
export type WeightBits = (typeof WEIGHT_BITS)[number];

export const BLOCK_SIZES = [32, 64, 128] as const;
export type BlockSize = (typeof BLOCK_SIZES)[number];

/** How 16-bit weights are kept: the checkpoint's own type, so that nothing is lost. */
export type HalfDtype = 'BF16' | 'F16';

/**
 * How the large matrices of a store are held. With 4 and 8 bits a matrix [out, in] is symmetric block-quantised along
 * `in`: weight = scale * (q - 2^(bits-1)), one fp32 scale per row and block, in the layout of ONNX Runtime's
 * MatMulNBits.
 */
export type Quantisation =
  | { readonly bits: 4 | 8; readonly blockSize: BlockSize }
  | { readonly bits: 16; readonly dtype: HalfDtype }
  | { readonly bits: 32 };

/** @throws ExpertmeshError `invalid_argument` when the block size does not divide a matrix's input dimension. */
export function requireDivisible(quantisation: Quantisation, inFeatures: number, matrix: string): void {
  if (!('blockSize' in quantisation) || inFeatures % quantisation.blockSize === 0) return;
  const usable = BLOCK_SIZES.filter((size) => inFeatures % size === 0);
  throw new ExpertmeshError(
    'invalid_argument',
    `--block-size ${String(quantisation.blockSize)} does not divide ${String(inFeatures)}, ` +
      `the input size of ${matrix}; ` +
      (usable.length > 0 ? `use ${usable.join(' or ')}` : 'use --bits 16 or 32'),
  );
}
