import { type CompletionClient, type CompletionRequest } from 'expertmesh/bench/completion-client';
import { runLoad, type RequestRecord } from 'expertmesh/bench/run-load';

/** The name under which every measured model is served. */
export const BENCH_MODEL = 'bench';

export function greedy(promptTokenIds: readonly number[], numTokens: number): CompletionRequest {
  return {
    model: BENCH_MODEL,
    promptTokenIds,
    numTokens,
    seed: 0,
    temperature: 0,
  };
}

/**
 * Sends all prompts at the same time, greedily, for exactly `numTokens` tokens each.
 *
 * @returns For each prompt, when each token came, in milliseconds since the start; tokens that came together have the
 * same time.
 * @throws Error with the server's words where a request failed.
 */
export async function completeTogether(
  client: CompletionClient,
  prompts: readonly (readonly number[])[],
  numTokens: number,
): Promise<number[][]> {
  const requests = prompts.map((prompt) => greedy(prompt, numTokens));
  const { signal } = new AbortController();
  const records = await runLoad(client, { requests, concurrency: requests.length, signal });
  return records.map(tokenTimesMs);
}

function tokenTimesMs({ arrivals, outcome }: RequestRecord): number[] {
  if (typeof outcome === 'object') throw new Error(`a request failed: ${outcome.error}`);
  return arrivals.flatMap(({ timeMs, numTokens }, index) =>
    new Array<number>(numTokens - (arrivals[index - 1]?.numTokens ?? 0)).fill(timeMs),
  );
}
