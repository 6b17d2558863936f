import { type WeightBits } from '../expert-store/quantisation.js';

/** What keys and values are stored as; `int8` with a scale for each token and head. */
export const KV_DTYPES = ['fp32', 'fp16', 'int8'] as const;
export type KvDtype = (typeof KV_DTYPES)[number];

/** `auto` keeps a 32-bit store exact, and halves the memory beside weights that are rounded anyway. */
export const KV_DTYPE_CHOICES = ['auto', ...KV_DTYPES] as const;
export type KvDtypeChoice = (typeof KV_DTYPE_CHOICES)[number];

export function chooseKvDtype(choice: KvDtypeChoice, bits: WeightBits): KvDtype {
  if (choice !== 'auto') return choice;
  return bits === 32 ? 'fp32' : 'fp16';
}
