import { quantilesOf, type Quantiles } from './quantiles.js';
import { type RequestRecord } from './run-load.js';

/** What a load came to. Rates are of all tokens that arrived, in the time from the first request to the last answer. */
export interface LoadSummary {
  readonly concurrency: number;
  readonly numRequests: number;
  readonly numDone: number;
  readonly numInterrupted: number;
  /** Each message with how often it came, the most frequent first. */
  readonly errors: readonly { readonly message: string; readonly count: number }[];
  readonly durationSeconds: number;
  readonly numPromptTokens: number;
  readonly numOutputTokens: number;
  readonly outputTokensPerSecond: number;
  /** Prompt tokens of the requests that got an answer, and output tokens. */
  readonly totalTokensPerSecond: number;
  readonly timeToFirstTokenMs: Quantiles | undefined;
  /** Between two arrivals of one request; tokens that come together are one arrival. */
  readonly interTokenMs: Quantiles | undefined;
}

export function summariseLoad(concurrency: number, records: readonly RequestRecord[]): LoadSummary {
  const answered = records.filter(({ arrivals }) => arrivals.length > 0);
  const durationSeconds = Math.max(0, ...records.map(({ endMs }) => endMs)) / 1000;
  const numPromptTokens = sum(answered.map((record) => record.numPromptTokens));
  const numOutputTokens = sum(answered.map(({ arrivals }) => arrivals.at(-1)?.numTokens ?? 0));
  const perSecond = (count: number): number => (durationSeconds === 0 ? 0 : count / durationSeconds);
  return {
    concurrency,
    numRequests: records.length,
    numDone: records.filter(({ outcome }) => outcome === 'done').length,
    numInterrupted: records.filter(({ outcome }) => outcome === 'interrupted').length,
    errors: countErrors(records),
    durationSeconds,
    numPromptTokens,
    numOutputTokens,
    outputTokensPerSecond: perSecond(numOutputTokens),
    totalTokensPerSecond: perSecond(numPromptTokens + numOutputTokens),
    timeToFirstTokenMs: quantilesOf(answered.flatMap(firstTokenMs)),
    interTokenMs: quantilesOf(answered.flatMap(interTokenMs)),
  };
}

const firstTokenMs = ({ arrivals, startMs }: RequestRecord): number[] =>
  arrivals.slice(0, 1).map(({ timeMs }) => timeMs - startMs);

export function interTokenMs({ arrivals }: RequestRecord): number[] {
  return arrivals.slice(1).map(({ timeMs }, index) => timeMs - (arrivals[index]?.timeMs ?? timeMs));
}

function countErrors(records: readonly RequestRecord[]): { message: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const { outcome } of records)
    if (typeof outcome === 'object') counts.set(outcome.error, (counts.get(outcome.error) ?? 0) + 1);
  return [...counts].map(([message, count]) => ({ message, count })).sort((a, b) => b.count - a.count);
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
