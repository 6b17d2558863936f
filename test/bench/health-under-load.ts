/**
 * Whether health checks and heartbeats keep up while long prompts are computed: `expertmesh up` with the demo model,
 * long prompts without pause, and GET /health/live every 5 ms.
 *
 *   npm run build && npx tsx test/bench/health-under-load.ts
 */
import { DEMO_MODEL, Mesh } from '@expertmesh/test-kit/mesh';
import { pause } from '@expertmesh/test-kit/process';

const SECONDS = 20;
const NUM_PROMPTS_TOGETHER = 4;
const PROMPT = 'Sort these numbers: 42, 7, 99, 13. '.repeat(85);

const mesh = await Mesh.start(['--workers', '3']);
const endMs = performance.now() + SECONDS * 1000;
let numPrompts = 0;
let numPromptTokens = 0;

const prefills = Array.from({ length: NUM_PROMPTS_TOGETHER }, async () => {
  while (performance.now() < endMs) {
    const { usage } = await mesh.client.completions.create({
      model: DEMO_MODEL,
      prompt: PROMPT,
      max_tokens: 1,
      temperature: 0,
    });
    numPrompts += 1;
    numPromptTokens = usage?.prompt_tokens ?? 0;
  }
});

const latenciesMs: number[] = [];
while (performance.now() < endMs) {
  const startMs = performance.now();
  const response = await fetch(`${mesh.url}/health/live`);
  await response.text();
  if (!response.ok) throw new Error(`/health/live said ${String(response.status)}`);
  latenciesMs.push(performance.now() - startMs);
  await pause(5);
}
await Promise.all(prefills);

latenciesMs.sort((a, b) => a - b);
const quantile = (q: number): string => (latenciesMs[Math.floor(q * (latenciesMs.length - 1))] ?? NaN).toFixed(1);
const heartbeats = (await mesh.stats()).cluster.workers.map((worker) => worker.heartbeats);
console.log(`${String(numPrompts)} prompts of ${String(numPromptTokens)} tokens in ${String(SECONDS)} s`);
console.log(
  `/health/live, ${String(latenciesMs.length)} requests: p50 ${quantile(0.5)}, ` +
    `p90 ${quantile(0.9)}, p99 ${quantile(0.99)}, max ${quantile(1)} ms`,
);
for (const { numSent, numMissed, maxLatencyMs } of heartbeats)
  console.log(
    `heartbeats: ${String(numSent)} sent, ${String(numMissed)} missed, slowest ${maxLatencyMs.toFixed(1)} ms`,
  );
await mesh.up.stop();
