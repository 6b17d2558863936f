const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 2_000;

/**
 * How long to wait before connecting again after `numFailures` failures in a row (at least 1): doubles from 100 ms to 2
 * s, of which a random half is taken off, so that many who lost the same peer do not come back at the same moment.
 *
 * @param random in [0, 1)
 */
export function reconnectDelayMs(numFailures: number, random: () => number): number {
  const fullMs = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(numFailures - 1, 16));
  return fullMs * (1 - random() / 2);
}
