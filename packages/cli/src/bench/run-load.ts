import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type CompletionClient, type CompletionRequest } from './completion-client.js';

/** What became of one request. Times are in milliseconds since the load began. */
export interface RequestRecord {
  readonly numPromptTokens: number;
  readonly startMs: number;
  endMs: number;
  /** When tokens arrived, and how many there were then. */
  readonly arrivals: { readonly timeMs: number; readonly numTokens: number }[];
  outcome: 'done' | 'interrupted' | { readonly error: string };
}

export interface LoadOptions {
  readonly requests: readonly CompletionRequest[];
  /** Requests that are under way at a time. */
  readonly concurrency: number;
  /** Aborting it ends the load early; what has arrived by then counts. */
  readonly signal: AbortSignal;
  readonly onRecord?: ((record: RequestRecord) => void) | undefined;
}

/** Sends all requests, each as soon as an earlier one has ended. A request that fails is a record like any other. */
export async function runLoad(
  client: Pick<CompletionClient, 'complete'>,
  options: LoadOptions,
): Promise<RequestRecord[]> {
  const records: RequestRecord[] = [];
  const queue = options.requests.values();
  const zeroMs = performance.now();
  const sendOneByOne = async (): Promise<void> => {
    for (const request of queue) {
      if (options.signal.aborted) return;
      const record = await measure(client, request, zeroMs, options.signal);
      records.push(record);
      options.onRecord?.(record);
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, sendOneByOne));
  return records;
}

async function measure(
  client: Pick<CompletionClient, 'complete'>,
  request: CompletionRequest,
  zeroMs: number,
  signal: AbortSignal,
): Promise<RequestRecord> {
  const startMs = performance.now() - zeroMs;
  const numPromptTokens = request.promptTokenIds.length;
  const record: RequestRecord = { numPromptTokens, startMs, endMs: startMs, arrivals: [], outcome: 'done' };
  try {
    for await (const numTokens of client.complete(request, signal)) {
      const isNew = numTokens > (record.arrivals.at(-1)?.numTokens ?? 0);
      if (isNew) record.arrivals.push({ timeMs: performance.now() - zeroMs, numTokens });
    }
    const numTokens = record.arrivals.at(-1)?.numTokens ?? 0;
    if (numTokens !== request.numTokens)
      record.outcome = { error: `${String(numTokens)} tokens instead of ${String(request.numTokens)}` };
  } catch (thrown) {
    const { code, message } = ExpertmeshError.from(thrown);
    record.outcome = code === 'cancelled' ? 'interrupted' : { error: message };
  }
  record.endMs = performance.now() - zeroMs;
  return record;
}
