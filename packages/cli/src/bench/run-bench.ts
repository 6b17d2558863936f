import { ChatClient } from '../chat/chat-client.js';
import { apiKeyOf } from '../network/api-key.js';
import { planRequests, WORD_POOL } from './bench-prompts.js';
import { CompletionClient } from './completion-client.js';
import { LoadProgress } from './load-progress.js';
import { summariseLoad, type LoadSummary } from './load-summary.js';
import { runLoad } from './run-load.js';

export interface BenchOptions {
  readonly url: string;
  /** The one that is served where absent. */
  readonly model?: string | undefined;
  readonly concurrencies: readonly number[];
  /** Of each concurrency; four times the concurrency where absent. */
  readonly numRequests?: number | undefined;
  readonly numPromptTokens: number;
  readonly numOutputTokens: number;
  readonly seed: number;
  readonly signal: AbortSignal;
}

/**
 * Puts load on a server, one concurrency after another. Aborting the signal ends it with what was measured by then.
 *
 * @throws ExpertmeshError where no server answers, or it lacks what is needed.
 */
export async function runBench(options: BenchOptions): Promise<LoadSummary[]> {
  const model = options.model ?? (await new ChatClient([options.url], apiKeyOf(process.env)).firstModel());
  const client = new CompletionClient(options.url);
  const tokenPool = await client.tokenize(model, WORD_POOL);
  const { numPromptTokens, numOutputTokens, seed, signal } = options;
  const plan = { model, numPromptTokens, numOutputTokens, seed };
  await warmUp(client, planRequests({ ...plan, numRequests: 1, numOutputTokens: 1 }, tokenPool), signal);
  const summaries: LoadSummary[] = [];
  for (const concurrency of options.concurrencies) {
    if (signal.aborted) break;
    const requests = planRequests({ ...plan, numRequests: options.numRequests ?? 4 * concurrency }, tokenPool);
    const progress = new LoadProgress(concurrency, requests.length);
    const onRecord = progress.add.bind(progress);
    const records = await runLoad(client, { requests, concurrency, signal, onRecord });
    progress.stop();
    summaries.push(summariseLoad(concurrency, records));
  }
  return summaries;
}

// The first request after a start pays for what is set up once; a failure here would only repeat itself in the load.
async function warmUp(
  client: CompletionClient,
  requests: ReturnType<typeof planRequests>,
  signal: AbortSignal,
): Promise<void> {
  await runLoad(client, { requests, concurrency: 1, signal });
}
