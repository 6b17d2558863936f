import { type EngineClient, type SequenceOutput, type SequenceRequest } from '../engine/engine-client.js';
import { type FinishedReason, type ServiceMetrics } from './service-metrics.js';

/** The same engine, with every sequence counted and timed. */
export function meteredEngine(
  engine: EngineClient,
  metrics: ServiceMetrics,
  nowMs: () => number = () => performance.now(),
): EngineClient {
  return {
    limits: engine.limits,
    stats: () => engine.stats(),
    generate: (request, signal) => metered(engine, metrics, nowMs, request, signal),
  };
}

async function* metered(
  engine: EngineClient,
  metrics: ServiceMetrics,
  nowMs: () => number,
  request: SequenceRequest,
  signal: AbortSignal,
): AsyncGenerator<SequenceOutput, void, void> {
  const startMs = nowMs();
  /** By answer. */
  const lastTokenMs = new Map<number, number>();
  // A consumer that leaves the loop before the last output has found a stop string.
  let finished: FinishedReason = 'stop';
  try {
    for await (const output of engine.generate(request, signal)) {
      const tokenMs = nowMs();
      const { answerIndex = 0 } = output;
      const beforeMs = lastTokenMs.get(answerIndex);
      if (lastTokenMs.size === 0) recordFirstToken(metrics, request, tokenMs - startMs);
      if (beforeMs !== undefined) metrics.interTokenLatency.observe((tokenMs - beforeMs) / 1000);
      metrics.generationTokens.inc(output.tokenIds.length);
      lastTokenMs.set(answerIndex, tokenMs);
      finished = output.finishReason ?? finished;
      yield output;
    }
  } catch (error) {
    finished = 'error';
    throw error;
  } finally {
    metrics.requestLatency.observe((nowMs() - startMs) / 1000);
    metrics.countFinished(signal.aborted ? 'abort' : finished);
  }
}

function recordFirstToken(metrics: ServiceMetrics, { promptTokenIds }: SequenceRequest, elapsedMs: number): void {
  metrics.promptTokens.inc(promptTokenIds.length);
  metrics.timeToFirstToken.observe(elapsedMs / 1000);
}
