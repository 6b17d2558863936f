import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Clock } from '@expertmesh/shared/rpc/clock';

export interface PollOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Ends the error message "... within 30000 ms". */
  readonly expected: string;
}

const POLL_INTERVAL_MS = 10;

/**
 * Resolves when `check` returns true. What it throws ends the wait.
 *
 * @throws ExpertmeshError `deadline_exceeded` after the timeout, `cancelled` when the signal aborts.
 */
export async function pollUntil(
  check: () => boolean,
  { clock, timeoutMs, signal, expected }: PollOptions,
): Promise<void> {
  const endMs = clock.nowMs() + timeoutMs;
  while (!check()) {
    if (clock.nowMs() >= endMs)
      throw new ExpertmeshError('deadline_exceeded', `${expected} within ${String(Math.round(timeoutMs))} ms`);
    await pause(POLL_INTERVAL_MS, clock, signal);
  }
}

/** @throws ExpertmeshError `cancelled` when the signal aborts. */
export async function pause(delayMs: number, clock: Clock, signal: AbortSignal): Promise<void> {
  requireOngoing(signal);
  await new Promise<void>((resolve, reject) => {
    const onAbort = (): void => {
      cancelTimer();
      reject(cancelled());
    };
    const cancelTimer = clock.after(delayMs, () => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** @throws ExpertmeshError `cancelled` when the signal has aborted. */
export function requireOngoing(signal: AbortSignal): void {
  if (signal.aborted) throw cancelled();
}

const cancelled = (): ExpertmeshError => new ExpertmeshError('cancelled', 'it was interrupted');
