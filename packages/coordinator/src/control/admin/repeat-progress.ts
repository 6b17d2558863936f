import { type ChangeProgress } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type Clock } from '@expertmesh/shared/rpc/clock';

/**
 * The same progress, and while nothing new is told for `intervalMs`, the last again, without its plan: so whoever reads
 * it can tell a slow change from a coordinator that is gone. Leaving the iteration leaves the source's, too.
 */
export async function* repeatProgress(
  source: AsyncIterable<ChangeProgress>,
  intervalMs: number,
  clock: Clock,
): AsyncGenerator<ChangeProgress, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  let last: ChangeProgress | undefined;
  let coming = iterator.next();
  try {
    for (;;) {
      const next = await firstOf(coming, intervalMs, clock);
      if (next === 'quiet') {
        if (last !== undefined) yield { ...last, plan: undefined };
        continue;
      }
      if (next.done === true) return;
      last = next.value;
      yield last;
      coming = iterator.next();
    }
  } finally {
    // Not awaited, as it may wait for what is coming. The reader has gone or has had the failure already: there is
    // nobody left to tell.
    coming.catch(() => undefined);
    iterator.return?.().catch(() => undefined);
  }
}

async function firstOf<T>(coming: Promise<T>, intervalMs: number, clock: Clock): Promise<T | 'quiet'> {
  let cancel = (): void => undefined;
  const quiet = new Promise<'quiet'>((resolve) => {
    cancel = clock.after(intervalMs, () => {
      resolve('quiet');
    });
  });
  try {
    return await Promise.race([coming, quiet]);
  } finally {
    cancel();
  }
}
