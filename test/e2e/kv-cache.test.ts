import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { DEMO_MODEL, Mesh } from '@expertmesh/test-kit/mesh';
import { tempDir } from '@expertmesh/test-kit/temp-dir';

/** 65,536 bytes of the demo model with 32 bits, and one block more for the canary. */
const blocks = (count: number): string => String((count + 1) * 65_536);
const NUM_REQUESTS = 8;

/** Without max_tokens, as long as the context allows. */
async function complete(mesh: Mesh, prompt: string, fields: object = {}): Promise<string> {
  const completion = await mesh.client.completions.create({ model: DEMO_MODEL, prompt, temperature: 0, ...fields });
  return completion.choices[0]?.text ?? '';
}

async function metric(mesh: Mesh, name: string): Promise<number> {
  // The engine tells its figures every 100 ms.
  await setTimeout(300);
  const text = await (await fetch(`${mesh.url}/metrics`)).text();
  return Number(new RegExp(`^expertmesh:${name} (.*)$`, 'm').exec(text)?.[1]);
}

describe('a KV cache that is too small for what runs', () => {
  it('ends all requests with the tokens that they have alone', async () => {
    const mesh = await Mesh.start(['--workers', '0', '--kv-cache-bytes', blocks(24), '--max-model-len', '640']);
    const ask = (_: unknown, index: number): Promise<string> =>
      complete(mesh, `Question ${String(index)}: tell me of the number ${String(37 * index)}.`, { ignore_eos: true });
    const together = await Promise.all(Array.from({ length: NUM_REQUESTS }, ask));
    expect(await metric(mesh, 'num_preemptions_total')).toBeGreaterThan(0);
    expect(await metric(mesh, 'kv_cache_usage_perc')).toBe(0);
    for (const [index, text] of together.entries()) expect(text).toBe(await ask(undefined, index));
    await mesh.up.stop('SIGINT');
  });
});

describe('the prefix cache', () => {
  const prompt = Array.from({ length: 90 }, (_, index) => `word ${String(7 * index)} is ${String(index % 13)}`).join();

  it('has a prompt that was there before, also after a restart with --kv-cache-disk, and the same answer', async () => {
    const flags = ['--workers', '0', '--kv-cache-disk', `${join(tempDir(), 'kv')}:1GB`];
    const first = await Mesh.start(flags);
    const answer = await complete(first, prompt, { max_tokens: 20 });
    expect(await metric(first, 'prefix_cache_hits_total')).toBe(0);
    expect(await complete(first, prompt, { max_tokens: 20 })).toBe(answer);
    const numCached = await metric(first, 'prefix_cache_hits_total');
    expect(numCached).toBeGreaterThan(256);
    await first.up.stop('SIGINT');

    const second = await Mesh.start(flags);
    expect(await complete(second, prompt, { max_tokens: 20 })).toBe(answer);
    expect(await metric(second, 'prefix_cache_hits_total')).toBe(numCached);
    await second.up.stop('SIGINT');
  });
});
