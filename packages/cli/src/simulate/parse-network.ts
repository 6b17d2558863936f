import { z } from 'zod';
import { type OptionValue } from '@expertmesh/shared/config/option-value';
import { type SimulatedNetwork } from '@expertmesh/shared/simulate/simulated-box';

const BITS: Readonly<Record<string, number>> = { k: 1e3, m: 1e6, g: 1e9 };
const SECONDS: Readonly<Record<string, number>> = { us: 1e-6, ms: 1e-3, s: 1 };
const BITS_PER_BYTE = 8;

/** 10Gbit,0.1ms */
export const networkValue: OptionValue<SimulatedNetwork> = {
  placeholder: '<rate>,<round-trip>',
  accepts: 'a rate and a round trip such as 10Gbit,0.1ms or 1Gbit,200us',
  schema: z.string().transform((text, context) => {
    const network = parseNetwork(text);
    if (network === undefined) context.addIssue({ code: 'custom' });
    return network ?? z.NEVER;
  }),
};

export function parseNetwork(text: string): SimulatedNetwork | undefined {
  const pattern = /^(\d+(?:\.\d+)?) ?([kmg])bit(?:\/s)?, ?(\d+(?:\.\d+)?) ?(us|ms|s)$/i;
  const [, rate = '0', unit = '', delay = '0', timeUnit = ''] = pattern.exec(text.trim()) ?? [];
  const bytesPerSecond = (Number(rate) * (BITS[unit.toLowerCase()] ?? 0)) / BITS_PER_BYTE;
  if (!(bytesPerSecond > 0)) return undefined;
  return { bytesPerSecond, roundTripSeconds: Number(delay) * (SECONDS[timeUnit.toLowerCase()] ?? 0) };
}
