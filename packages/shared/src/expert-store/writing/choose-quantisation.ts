import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { type BlockSize, type HalfDtype, type Quantisation, type WeightBits } from '../quantisation.js';

/**
 * The size with the smallest error. With 4 bits, 128 takes 4.25 bits a weight instead of 5, and has 1.7 times its KL
 * divergence.
 */
export const DEFAULT_BLOCK_SIZE: BlockSize = 32;

export const BLOCK_SIZE_MEANING =
  'Weights that share a scale, with 4 and 8 bits. 4 bits in blocks of 128 take 15 % less memory than in blocks ' +
  'of 32 and compute about 7 % faster, with 1.7 times the loss of accuracy.';

/**
 * @param blockSize only for 4 and 8 bits
 * @param halfDtype how 16-bit weights are kept
 * @throws ExpertmeshError `invalid_argument` for a block size where there are no blocks.
 */
export function chooseQuantisation(
  bits: WeightBits,
  blockSize: BlockSize | undefined,
  halfDtype: HalfDtype,
): Quantisation {
  if (bits === 4 || bits === 8) return { bits, blockSize: blockSize ?? DEFAULT_BLOCK_SIZE };
  if (blockSize !== undefined)
    throw new ExpertmeshError(
      'invalid_argument',
      `--block-size ${String(blockSize)} has no meaning with --bits ${String(bits)}: ` +
        'leave it out, or use --bits 4 or 8',
    );
  return bits === 16 ? { bits, dtype: halfDtype } : { bits };
}

/** As the command line would ask for it. */
export function describeQuantisation(quantisation: Quantisation): string {
  return (
    `--bits ${String(quantisation.bits)}` +
    ('blockSize' in quantisation ? ` --block-size ${String(quantisation.blockSize)}` : '')
  );
}
