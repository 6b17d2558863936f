import { pause } from './process.js';

const INTERVAL_MS = 10;

/** Waits until the assertion holds; throws what it threw last when that takes too long. */
export async function eventually(assertion: () => void | Promise<void>, timeoutMs = 5_000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    try {
      await assertion();
      return;
    } catch (error) {
      if (performance.now() > endMs) throw error;
    }
    await pause(INTERVAL_MS);
  }
}
