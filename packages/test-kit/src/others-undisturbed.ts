import { expect } from 'vitest';
import { DEMO_MODEL, type Mesh } from './mesh.js';
import { pause } from './process.js';

/** How long /health/live may take, and what a stream's longest gap may be above twice the quiet one. */
const HEALTH_MS = 50;
const GAP_SLACK_MS = 50;

/**
 * Expects that health checks and a stream of others are as when nothing happens, since cores may be busy, while
 * something is done to a mesh.
 */
export async function expectOthersUndisturbed(mesh: Mesh, attack: () => Promise<unknown>): Promise<void> {
  await seenByOthers(mesh, () => pause(300));
  const quiet = await seenByOthers(mesh, () => pause(1_500));
  const seen = await seenByOthers(mesh, attack);
  process.stdout.write(
    `${expect.getState().currentTestName ?? ''}: quiet ${JSON.stringify(quiet)}, now ${JSON.stringify(seen)}\n`,
  );
  expect(seen.healthMs).toBeLessThan(HEALTH_MS + quiet.healthMs);
  expect(seen.gapMs).toBeLessThan(2 * quiet.gapMs + GAP_SLACK_MS);
}

/** The longest that /health/live takes and the longest gap of a stream, while `action` runs. */
async function seenByOthers(mesh: Mesh, action: () => Promise<unknown>): Promise<{ healthMs: number; gapMs: number }> {
  let [healthMs, gapMs, isOver] = [0, 0, false];
  const stream = await mesh.client.completions.create({
    model: DEMO_MODEL,
    prompt: 'Tell me a story.',
    max_tokens: 1900,
    stream: true,
    ...{ ignore_eos: true },
  });
  const reading = (async () => {
    let lastMs: number | undefined;
    for await (const _ of stream) {
      const nowMs = performance.now();
      if (lastMs !== undefined) gapMs = Math.max(gapMs, nowMs - lastMs);
      lastMs = nowMs;
      if (isOver) return;
    }
  })();
  const asking = (async () => {
    while (!isOver) {
      const startMs = performance.now();
      await (await fetch(`${mesh.url}/health/live`)).text();
      healthMs = Math.max(healthMs, performance.now() - startMs);
      await pause(5);
    }
  })();
  await pause(300);
  await action();
  isOver = true;
  await Promise.all([reading, asking]);
  return { healthMs: Math.round(healthMs), gapMs: Math.round(gapMs) };
}
