/**
 * Tokens a second of sequences that decode together: what arrives while all of them have begun and none has ended, so
 * neither prompts nor a smaller batch at the end are in it.
 *
 * @param arrivals For each sequence, when each of its tokens came, ascending, in milliseconds.
 * @throws Error where the sequences did not overlap.
 */
export function tokensPerSecond(arrivals: readonly (readonly number[])[]): number {
  const startMs = Math.max(...arrivals.map((timesMs) => timesMs[0] ?? NaN));
  const endMs = Math.min(...arrivals.map((timesMs) => timesMs.at(-1) ?? NaN));
  const numTokens = arrivals.flat().filter((timeMs) => timeMs > startMs && timeMs <= endMs).length;
  if (!(endMs > startMs))
    throw new Error(`${String(arrivals.length)} sequences did not run at the same time: ask for more tokens`);
  return (1000 * numTokens) / (endMs - startMs);
}
