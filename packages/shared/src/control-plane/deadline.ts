import { ExpertmeshError } from '../errors/expertmesh-error.js';

/**
 * Waits for a promise that knows neither deadlines nor aborts; what becomes of it after that is nobody's concern.
 *
 * @throws ExpertmeshError `deadline_exceeded` after timeoutMs, and the signal's reason as soon as it aborts.
 */
export async function withDeadline<T>(promise: Promise<T>, timeoutMs: number, signal: AbortSignal): Promise<T> {
  let giveUp: () => void = () => undefined;
  const givenUp = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => {
      reject(new ExpertmeshError('deadline_exceeded', `no answer within ${String(timeoutMs)} ms`));
    }, timeoutMs);
    const onAbort = (): void => {
      reject(ExpertmeshError.from(signal.reason));
    };
    giveUp = () => {
      clearTimeout(timer);
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
