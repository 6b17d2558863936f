import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { type BlockSize, type HalfDtype, type Quantisation, type WeightBits } from '../quantisation.js';

/** The size with the smallest error; the larger ones read a little faster. */
export const DEFAULT_BLOCK_SIZE: BlockSize = 32;

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
      `--block-size ${String(blockSize)} has no meaning with --bits ${String(bits)}: leave it out, or use --bits 4 or 8`,
    );
  return bits === 16 ? { bits, dtype: halfDtype } : { bits };
}

/** As the command line would ask for it. */
export const describeQuantisation = (quantisation: Quantisation): string =>
  `--bits ${String(quantisation.bits)}` +
  ('blockSize' in quantisation ? ` --block-size ${String(quantisation.blockSize)}` : '');
