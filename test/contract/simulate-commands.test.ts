import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { writeTraceFile } from '@expertmesh/test-kit/trace-file';

/** A trace of the demo model's geometry, in which only the first sixteen experts are ever used. */
const trace = join(tempDir(), 'routes.trace');
beforeAll(() =>
  writeTraceFile(
    trace,
    {
      formatVersion: 1,
      storeId: 'made up',
      numLayers: 4,
      layerIndices: [0, 1, 2, 3],
      hiddenSize: 128,
      numExperts: 128,
      topK: 8,
    },
    3000,
    (row) => Array.from({ length: 8 }, (_, choice) => (row + 2 * choice) % 16),
  ),
);

interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

const run = (...argv: string[]): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(process.execPath, ['packages/cli/dist/main.js', ...argv], (error, stdout, stderr) => {
      resolve({ stdout, stderr, exitCode: error === null ? 0 : Number(error.code) });
    });
  });

const json = async (...argv: string[]) =>
  JSON.parse((await run(...argv, '--json')).stdout) as {
    readonly step: { readonly tokensPerSecond: number; readonly workersPerToken: number };
    readonly oneBox?: { readonly step: { readonly tokensPerSecond: number } };
    readonly meanBalancedness: number;
    readonly windows: readonly { readonly balancedness: { readonly mean: number } }[];
  };

describe('expertmesh simulate', () => {
  const large = ['--model', 'qwen3-235b-a22b', '--block-size', '128'];

  it('predicts a cluster that does not exist', async () => {
    const { stdout, exitCode } = await run('simulate', ...large, '--boxes', '4x64GB@40GB/s', '--batch', '16');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/\d+\.\d+ tok\/s, .* a step/);
    expect(stdout).toContain('3.6');
    expect(stdout).toContain('None of these boxes holds the model alone.');
  });

  it('says when one box is faster', async () => {
    const slow = ['--boxes', '4x64GB@40GB/s', '--network', '1Gbit,1ms'];
    expect((await run('simulate', ...slow)).stdout).toContain('One box is faster: box-');
  });

  it('says what is missing when the model does not fit', async () => {
    const { stderr, exitCode } = await run('simulate', ...large, '--boxes', '4x16GB@40GB/s');
    expect([exitCode, stderr]).toEqual([1, expect.stringMatching(/memory budgets of the 4 workers .* are short by/)]);
  });

  it.each([
    [['--boxes', '4x64GB'], 'It must be boxes such as 4x64GB@40GB/s'],
    [['--boxes', '64GB@40GB/s', '--network', 'fast'], 'It must be a rate and a round trip such as 10Gbit,0.1ms'],
    [[], "required option '--boxes"],
  ])('refuses %j as wrong usage', async (argv, message) => {
    expect(await run('simulate', ...argv)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining(message) as string,
    });
  });

  it('routes as a trace does', async () => {
    const demo = ['--model', 'demo', '--bits', '32', '--boxes', '8x8GB@30GB/s', '--policy', 'contiguous'];
    const [uniform, traced] = await Promise.all([
      json('simulate', ...demo),
      json('simulate', ...demo, '--trace', trace),
    ]);
    // The first sixteen experts are all on the first of eight workers.
    expect(uniform.step.workersPerToken).toBeGreaterThan(5);
    expect(traced.step.workersPerToken).toBe(1);
  });
});

describe('expertmesh experts replay', () => {
  const cluster = ['--model', 'demo', '--bits', '32', '--boxes', '8x8GB@30GB/s'];

  it('replays a trace through a policy: better in every window after the first plan', async () => {
    const { windows } = await json('experts', 'replay', trace, ...cluster, '--policy', 'balanced');
    expect(windows).toHaveLength(3);
    expect(windows[0]?.balancedness.mean).toBeCloseTo(1 / 8, 6);
    expect(windows[2]?.balancedness.mean).toBeGreaterThan(0.9);
    const { stdout } = await run('experts', 'replay', trace, ...cluster);
    expect(stdout).toMatch(/WINDOW +TOKENS +PLACEMENT +BALANCE[^]*3000 tokens: balancedness/);
  });

  it('refuses a model that was not recorded, and what is no trace', async () => {
    const other = await run('experts', 'replay', trace, '--boxes', '8x64GB@30GB/s');
    expect(other.stderr).toContain('was recorded of a model of 4 layers with 8 of 128 experts and hidden size 128');
    expect((await run('experts', 'replay', 'package.json', ...cluster)).stderr).toContain('not a routing trace');
    expect((await run('experts', 'replay', 'nowhere', ...cluster)).stderr).toContain('there is no trace nowhere');
  });
});
