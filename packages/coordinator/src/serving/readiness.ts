/** What must be true before the model can generate. */
export interface ReadinessState {
  readonly engine: { readonly loaded: number; readonly total: number } | 'loaded';
  /** Each worker by its id; the text says what keeps it from serving. */
  readonly workers: ReadonlyMap<string, 'up' | { readonly because: string }>;
  /** The last canary since something changed. */
  readonly canary: 'due' | 'passed' | { readonly failedBecause: string };
}

/** What keeps the model from generating, as a sentence for operators; undefined when nothing does. */
export function notReadyBecause(state: ReadinessState): string | undefined {
  const { engine, workers, canary } = state;
  if (engine !== 'loaded')
    return `loading the dense weights (${String(engine.loaded)} of ${String(engine.total)} parts)`;
  for (const [workerId, worker] of workers) if (worker !== 'up') return `worker ${workerId} ${worker.because}`;
  if (canary === 'due') return 'waiting for the canary token';
  return canary === 'passed' ? undefined : `the canary token failed: ${canary.failedBecause}`;
}

/** Whether the canary can be sent: everything is there, and it has not passed since. */
export const isCanaryDue = ({ engine, workers, canary }: ReadinessState): boolean =>
  engine === 'loaded' && canary !== 'passed' && [...workers.values()].every((worker) => worker === 'up');
