/**
 * Loading and serving a dummy-weight store of a real geometry: time until ready, load rate, resident memory of each process, and
 * decode speed of one sequence.
 *
 *   npm run build && npx tsx test/bench/large-store.ts [--preset P] [--layers N] [--bits B] [--workers W] [--store DIR]
 *
 * --store keeps the store for the next run; without it the store is written to a temporary directory (3.5 GB with the defaults:
 * qwen3-30b-a3b, 12 layers, 4 bits, 2 workers).
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { formatBytes } from '@expertmesh/shared/expert-store/format-bytes';
import { openExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { descendantsOf } from '../kit/child-pids.js';
import { Mesh } from '../kit/mesh.js';
import { ExpertmeshProcess } from '../kit/process.js';
import { tempDir } from '../kit/temp-dir.js';

const { values: flags } = parseArgs({
  options: {
    preset: { type: 'string', default: 'qwen3-30b-a3b' },
    layers: { type: 'string', default: '12' },
    bits: { type: 'string', default: '4' },
    workers: { type: 'string', default: '2' },
    store: { type: 'string' },
  },
});
const NUM_TOKENS = 64;
const MAX_MODEL_LEN = 4096;

const storeDir = flags.store ?? join(tempDir(), 'store');
if (!existsSync(storeDir)) await synth();
const store = await openExpertStore(storeDir);
const sizeBytes = store.manifest.blobs.reduce((sum, blob) => sum + blob.sizeBytes, 0);
const expertBytes = store.manifest.blobs
  .filter(({ path }) => path.startsWith('experts/'))
  .reduce((sum, blob) => sum + blob.sizeBytes, 0);
console.log(`store: ${formatBytes(sizeBytes)}, of which experts ${formatBytes(expertBytes)}`);

const startMs = performance.now();
const mesh = await Mesh.start([
  '--model',
  storeDir,
  '--workers',
  flags.workers,
  '--max-model-len',
  String(MAX_MODEL_LEN),
]);
const readySeconds = (performance.now() - startMs) / 1000;
console.log(`ready after ${readySeconds.toFixed(1)} s: ${formatBytes(sizeBytes / readySeconds)}/s of packed weights`);
reportMemory('loaded');

await generate(8);
const generateMs = await generate(NUM_TOKENS);
console.log(`decode, 1 sequence: ${((1000 * (NUM_TOKENS - 1)) / generateMs).toFixed(1)} tok/s`);
reportMemory('after use');
await mesh.up.stop();

async function synth(): Promise<void> {
  const args = ['--preset', flags.preset, '--layers', flags.layers, '--bits', flags.bits];
  const startedMs = performance.now();
  const made = ExpertmeshProcess.start(['synth', ...args, storeDir]);
  await made.until(
    () => made.hasExited || existsSync(join(storeDir, 'manifest.json')),
    'has written the store',
    600_000,
  );
  await made.exited();
  console.log(`expertmesh synth ${args.join(' ')}: ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
}

/** Milliseconds from the first token to the last. */
async function generate(numTokens: number): Promise<number> {
  const stream = await mesh.client.completions.create({
    model: basename(storeDir),
    prompt: 'Hello',
    max_tokens: numTokens,
    stream: true,
    temperature: 0,
    ...{ ignore_eos: true },
  });
  let firstMs: number | undefined;
  for await (const _ of stream) firstMs ??= performance.now();
  return performance.now() - (firstMs ?? NaN);
}

function reportMemory(when: string): void {
  for (const { pid, command } of descendantsOf(mesh.up.pid)) {
    const role = /main\.js (worker|coordinator)/.exec(command)?.[1];
    if (role === undefined) continue;
    const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
    const kibibytes = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
    console.log(
      `${when}, ${role}: ${formatBytes(kibibytes('VmRSS') * 1024)} resident (${formatBytes(kibibytes('RssAnon') * 1024)} anonymous)`,
    );
  }
}
