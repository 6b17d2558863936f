import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { runBench } from 'expertmesh/bench/run-bench';
import { program } from 'expertmesh/program';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startScriptedApi, type ScriptedApi } from '@expertmesh/test-kit/http-api';

const CLI = 'packages/cli/dist/main.js';

let api: ScriptedApi;
beforeAll(async () => {
  api = await startScriptedApi();
});
afterAll(() => api.close());
beforeEach(() => {
  api.engine.requests.length = 0;
  api.engine.script = { tokenIds: [300, 301, 302], end: 'length' };
});

const bench = (signal = new AbortController().signal) =>
  runBench({
    url: api.url,
    concurrencies: [1, 2],
    numRequests: 3,
    numPromptTokens: 33,
    numOutputTokens: 3,
    seed: 5,
    signal,
  });

describe('expertmesh bench', () => {
  it('sends prompts of the exact length and counts every token of the answers', async () => {
    const summaries = await bench();
    expect(summaries).toMatchObject([
      { concurrency: 1, numDone: 3, numPromptTokens: 99, numOutputTokens: 9, errors: [] },
      { concurrency: 2, numDone: 3, numPromptTokens: 99, numOutputTokens: 9, errors: [] },
    ]);
    const sent = api.engine.requests;
    expect(sent.every(({ promptTokenIds }) => promptTokenIds.length === 33)).toBe(true);
    // One request more, before the others, is not measured.
    expect(sent.map(({ maxTokens }) => maxTokens)).toEqual([1, 3, 3, 3, 3, 3, 3]);
    expect(sent.slice(1, 4).map(({ sampling }) => sampling.seed)).toEqual([5, 6, 7]);
    expect(sent.every(({ stopTokenIds }) => stopTokenIds.length === 0)).toBe(true);
  });

  it("counts failures by the server's words", async () => {
    api.engine.script = { tokenIds: [], end: new ExpertmeshError('unavailable', 'worker w1 is away') };
    const [summary] = await bench();
    expect(summary).toMatchObject({ numDone: 0, errors: [{ count: 3 }] });
    expect(summary?.errors[0]?.message).toContain('worker w1 is away');
  });

  it('prints what it has when it is interrupted, as JSON too, and exits with 1', async () => {
    api.engine.script = { tokenIds: [300, 301], end: 'hang until aborted' };
    const args = ['bench', '--url', api.url, '--concurrency', '1', '--output-tokens', '9', '--json'];
    const child = spawn(process.execPath, [CLI, ...args]);
    const output = text(child.stdout);
    const exited = new Promise((resolve) => child.once('exit', resolve));
    // The first request hangs as well: it is the one that is not measured, so the interrupt ends two of them.
    await api.engine.hanging;
    child.kill('SIGINT');
    expect(await exited).toBe(1);
    expect(JSON.parse(await output)).toMatchObject({ outputTokens: 9, loads: [] });
    await expect.poll(() => api.engine.numOpenSequences).toBe(0);
  });

  it('says which server does not answer', async () => {
    const command = program('0').parseAsync(['node', 'expertmesh', 'bench', '--url', 'http://127.0.0.1:1']);
    await expect(command).rejects.toThrow('No server answers at http://127.0.0.1:1');
  });

  it.each([
    ['--concurrency', '0'],
    ['--concurrency', '1,x'],
    ['--requests', '0'],
    ['--url', 'nowhere'],
  ])('refuses %s %s', async (flag, value) => {
    const command = program('0').parseAsync(['node', 'expertmesh', 'bench', flag, value]);
    await expect(command).rejects.toMatchObject({ code: 'commander.invalidArgument' });
  });
});
