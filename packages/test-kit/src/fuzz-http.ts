import { fuzzedRequests, type FuzzedRequest } from './fuzzed-bodies.js';

export interface FuzzOutcome {
  readonly numByStatus: Readonly<Record<number, number>>;
  /** What was answered with a bug of ours, or not at all. */
  readonly failures: readonly { readonly request: FuzzedRequest; readonly answer: string }[];
}

/** An answer of the scripted engine is there at once. */
const TIMEOUT_MS = 20_000;

/** Sends fuzzed requests to an API, one after the other, and reads each answer to its end. */
export async function fuzzHttp(url: string, seed: number, count: number): Promise<FuzzOutcome> {
  const numByStatus: Record<number, number> = {};
  const failures: { request: FuzzedRequest; answer: string }[] = [];
  for (const request of fuzzedRequests(seed, count)) {
    const { status, answer } = await answerTo(url, request);
    numByStatus[status] = (numByStatus[status] ?? 0) + 1;
    if (status === 0 || status >= 500 || answer.includes('"code":"internal"')) failures.push({ request, answer });
  }
  return { numByStatus, failures };
}

async function answerTo(url: string, { path, body }: FuzzedRequest): Promise<{ status: number; answer: string }> {
  try {
    const response = await fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return { status: response.status, answer: await response.text() };
  } catch (thrown) {
    return { status: 0, answer: String(thrown) };
  }
}
