import { setTimeout as delay } from 'node:timers/promises';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';

const POLL_INTERVAL_MS = 100;
const POLL_TIMEOUT_MS = 2_000;
const REPORT_INTERVAL_MS = 5_000;

/**
 * Resolves when the coordinator says that it is ready: a token went through every layer and every worker. Loading a
 * large model takes minutes, so only `signal` ends the wait.
 *
 * @param onWaiting is told every 5 s what the coordinator is waiting for.
 */
export async function untilReady(
  baseUrl: string,
  signal: AbortSignal,
  onWaiting: (reason: string) => void,
): Promise<void> {
  let nextReportAt = performance.now() + REPORT_INTERVAL_MS;
  for (;;) {
    const obstacle = await notReadyBecause(baseUrl, signal);
    if (obstacle === undefined) return;
    if (performance.now() >= nextReportAt) {
      nextReportAt += REPORT_INTERVAL_MS;
      onWaiting(obstacle);
    }
    await delay(POLL_INTERVAL_MS, undefined, { signal });
  }
}

/**
 * Rejects as soon as `signal` aborts: the shutdown waits for the start, which must not wait for a process that hangs.
 */
export async function unlessAborted<T>(value: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(new ExpertmeshError('cancelled', 'the start was interrupted'));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    value.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', onAbort);
    });
  });
}

async function notReadyBecause(baseUrl: string, signal: AbortSignal): Promise<string | undefined> {
  // Not AbortSignal.any with AbortSignal.timeout: Node 20 may collect such a signal before its time.
  const abort = new AbortController();
  const stop = (): void => {
    abort.abort();
  };
  const timer = setTimeout(stop, POLL_TIMEOUT_MS);
  signal.addEventListener('abort', stop, { once: true });
  try {
    const response = await fetch(`${baseUrl}/health/ready`, { signal: abort.signal });
    const body = (await response.json()) as { readonly error?: { readonly message?: string } };
    return response.ok ? undefined : (body.error?.message ?? `HTTP status ${String(response.status)}`);
  } catch {
    signal.throwIfAborted();
    // A coordinator that is being started again does not answer; the next poll asks anew.
    return 'the coordinator does not answer yet';
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}
