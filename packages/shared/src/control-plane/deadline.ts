import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { type Clock } from '../rpc/clock.js';

/**
 * Waits for a promise that knows neither deadlines nor aborts; what becomes of it after that is nobody's concern.
 *
 * @throws ExpertmeshError `deadline_exceeded` after timeoutMs, and the signal's reason as soon as it aborts.
 */
export async function withDeadline<T>(
  promise: Promise<T>,
  timeoutMs: number,
  signal: AbortSignal,
  clock: Clock,
): Promise<T> {
  let giveUp: () => void = () => undefined;
  const givenUp = new Promise<never>((_, reject) => {
    const cancelTimer = clock.after(timeoutMs, () => {
      reject(new ExpertmeshError('deadline_exceeded', `no answer within ${String(timeoutMs)} ms`));
    });
    const onAbort = (): void => {
      reject(ExpertmeshError.from(signal.reason));
    };
    giveUp = () => {
      cancelTimer();
      signal.removeEventListener('abort', onAbort);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, givenUp]);
  } finally {
    giveUp();
  }
}

/** Resolves after the delay, or as soon as the signal aborts. */
export function sleep(delayMs: number, signal: AbortSignal, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      cancelTimer();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const cancelTimer = clock.after(signal.aborted ? 0 : delayMs, end);
    signal.addEventListener('abort', end, { once: true });
  });
}
