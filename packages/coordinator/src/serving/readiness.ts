/** What must be true before the model can generate. */
export interface ReadinessState {
  readonly engine: { readonly loaded: number; readonly total: number } | 'loaded';
  /** Each worker by its id; the text says what keeps it from serving. */
  readonly workers: ReadonlyMap<string, 'up' | { readonly because: string }>;
  /** Workers whose data-plane connection is lost, and why. Noticed sooner than by membership's heartbeat. */
  readonly lostConnections: ReadonlyMap<string, string>;
  /** The last canary since something changed. */
  readonly canary: 'due' | 'passed' | { readonly failedBecause: string };
}

/** What keeps the model from generating, as a sentence for operators; undefined when nothing does. */
export function notReadyBecause(state: ReadinessState): string | undefined {
  const { engine, workers, lostConnections, canary } = state;
  if (engine !== 'loaded')
    return `loading the dense weights (${String(engine.loaded)} of ${String(engine.total)} parts)`;
  for (const [workerId, worker] of workers) if (worker !== 'up') return `worker ${workerId} ${worker.because}`;
  for (const [workerId, reason] of lostConnections) return `worker ${workerId} has lost its data connection: ${reason}`;
  if (canary === 'due') return 'waiting for the canary token';
  return canary === 'passed' ? undefined : `the canary token failed: ${canary.failedBecause}`;
}

/** Whether the canary is to be sent: everything is there, and nobody has tried it since. */
export const isCanaryDue = ({ engine, workers, lostConnections, canary }: ReadinessState): boolean =>
  engine === 'loaded' &&
  canary === 'due' &&
  lostConnections.size === 0 &&
  [...workers.values()].every((worker) => worker === 'up');
