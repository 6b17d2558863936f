const WARM_UP_RUNS = 2;
const MAX_RUNS = 7;
const MAX_MS = 500;

/** The median time of a run in milliseconds, over as many as fit into half a second. */
export async function medianMs(run: () => Promise<unknown>): Promise<number> {
  for (let i = 0; i < WARM_UP_RUNS; i++) await run();
  const timesMs: number[] = [];
  const endMs = performance.now() + MAX_MS;
  do {
    const startMs = performance.now();
    await run();
    timesMs.push(performance.now() - startMs);
  } while (timesMs.length < MAX_RUNS && performance.now() < endMs);
  return timesMs.sort((a, b) => a - b)[Math.floor(timesMs.length / 2)] ?? 0;
}
