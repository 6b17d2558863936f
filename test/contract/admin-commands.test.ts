import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startAdminServer, type AdminServer } from '@expertmesh/test-kit/admin-server';
import { ScriptedClusterAdmin } from '@expertmesh/test-kit/scripted-cluster-admin';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { until } from '@expertmesh/test-kit/until';

let cluster: AdminServer;
beforeEach(async () => {
  cluster = await startAdminServer(new ScriptedClusterAdmin());
});
afterEach(() => cluster.close());

interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number | null;
}

/** Runs `expertmesh ARGV` with the cluster's address in the environment; it is no terminal. */
function start(argv: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, ['packages/cli/dist/main.js', ...argv], {
    env: { ...process.env, EXPERTMESH_COORDINATOR: cluster.address, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (data: Buffer) => (output.stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (output.stderr += data.toString()));
  const ended = new Promise<Ended>((resolve) => child.once('close', (exitCode) => resolve({ ...output, exitCode })));
  return { child, output, ended };
}

const run = (...argv: string[]): Promise<Ended> => start(argv).ended;

const json = async (...argv: string[]): Promise<unknown> => JSON.parse((await run(...argv, '--json')).stdout);

describe('expertmesh workers', () => {
  it('lists workers with their state, and why one is away', async () => {
    const { stdout, exitCode } = await run('workers', 'list');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^WORKER +STATE +DOMAIN/);
    expect(stdout).toMatch(/w0 +up +box-0 +5\.00 GB of 8\.00 GB +6 +50\.0 % +40\.0 % +1\.50 ms +0\n/);
    expect(stdout).toMatch(/w2 +away.*no heartbeat for 12 s/);
    expect(stdout).not.toContain('\u001b');
  });

  it('shows who is in quarantine, and whose experts were damaged', async () => {
    expect((await run('workers', 'list')).stdout).toMatch(/w1 +up, quarantined .* ms +2 +in quarantine: .*1 expert\n/);
    const { stdout } = await run('workers', 'describe', 'w1');
    expect(stdout).toMatch(
      /damaged in memory: +2 since its start, 1 not served again yet; the last: .*expert-003\.bin/,
    );
    expect((await run('workers', 'describe', 'w0')).stdout).toMatch(/damaged in memory: +no expert since its start/);
    const { workers } = (await json('workers', 'list')) as { workers: unknown[] };
    expect(workers.slice(0, 2)).toMatchObject([
      { quarantined: false, numDamagedExperts: 0, numWithdrawnExperts: 0, lastDamage: '' },
      { quarantined: true, numDamagedExperts: 2, numWithdrawnExperts: 1 },
    ]);
  });

  it('speaks in words in JSON, too', async () => {
    expect(await json('workers', 'list')).toMatchObject({
      workers: [{ availability: 'up' }, {}, { availability: 'away' }],
    });
    expect(await json('workers', 'describe', 'w1')).toMatchObject({ workerId: 'w1', admission: 'accepting' });
  });

  it('cordons in the name of the user, drains with progress, and removes only what is empty', async () => {
    expect(await run('workers', 'cordon', 'w1')).toMatchObject({ stdout: 'cordon: w1\n', exitCode: 0 });
    expect(cluster.admin.auditRecords[0]?.actor).toMatch(/^.+@.+$/);
    const drained = await run('workers', 'drain', 'w1', '--yes');
    expect(drained).toMatchObject({ stdout: 'w1 is drained: in force\n', exitCode: 0 });
    expect(drained.stderr).toContain('moving: 1 of 2 layers, 2.50 GB of 5.00 GB, layer 0 is done');
    const removal = await run('workers', 'remove', 'w0', '--yes');
    expect(removal).toMatchObject({ exitCode: 1 });
    expect(removal.stderr).toMatch(/^expertmesh: coordinator .*: worker w0 holds 6 replicas: drain it first\n$/);
  });

  it('asks before it drains, and refuses where nobody can answer', async () => {
    const { stderr, exitCode } = await run('workers', 'drain', 'w1');
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('give --yes')]);
    expect(cluster.admin.auditRecords).toEqual([]);
  });

  it('names the workers that there are when one is not', async () => {
    const { stderr, exitCode } = await run('workers', 'describe', 'w9');
    expect([exitCode, stderr]).toEqual([1, 'expertmesh: there is no worker w9: there are w0, w1, w2\n']);
  });

  it('looks again and again until Ctrl-C, which is a good end', async () => {
    const { child, output, ended } = start(['workers', 'list', '--watch', '0.1', '--json']);
    await until(() => output.stdout.split('\n').length > 3);
    child.kill('SIGINT');
    const { stdout, stderr, exitCode } = await ended;
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout.split('\n')[0] ?? '')).toMatchObject({ workers: [{ workerId: 'w0' }, {}, {}] });
  });
});

describe('expertmesh placement', () => {
  it('shows what each worker has, and the load of each layer', async () => {
    const { stdout } = await run('placement', 'show');
    expect(stdout).toContain('placement 1: contiguous, by ada@box');
    expect(stdout).toMatch(/LAYER +BALANCE +w0 +w1 +w2\n +0 +0\.571 +25\.0 +58\.3 +16\.7/);
    const layer = (await run('placement', 'show', '--layer', '1')).stdout.split('\n');
    expect(layer[2]).toMatch(/^ +3 +3\.33 +w1$/);
    expect((await run('placement', 'show', '--layer', '7')).stderr).toContain('those from 0 to 1 have');
  });

  it('plans into a file, shows the difference, applies it, and lists and takes back', async () => {
    const file = join(tempDir(), 'plan.json');
    const planned = await run('placement', 'plan', '--policy', 'eplb', '--replicas', '2', '--out', file);
    expect(planned.stdout).toContain('eplb plan from placement 1 to 2, loads of 12345 tokens');
    expect(planned.stdout).toContain('note: one box alone would be faster');
    expect((await run('placement', 'diff', file)).stdout).toMatch(/from placement 1 to 2: \d+ replicas come/);

    const applied = await run('placement', 'apply', file, '--yes');
    expect(applied).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('Placement 2 is in force') as string,
    });
    const again = await run('placement', 'apply', file, '--yes');
    expect(again.exitCode).toBe(1);
    expect(again.stderr).toContain('was made from placement 1, and 2 is in force by now: make a new plan');

    expect((await run('placement', 'history')).stdout).toMatch(/2 \* +eplb/);
    const back = await run('placement', 'rollback', '--yes');
    expect(back.stdout).toContain('Placement 3 is in force');
    expect(cluster.admin.auditRecords.at(-1)).toMatchObject({ action: 'rollback', after: '1' });
    expect(await json('placement', 'diff', '1', '3')).toMatchObject({ from: 1, to: 3 });
  });

  it('says what was taken back, and why', async () => {
    const file = join(tempDir(), 'plan.json');
    await run('placement', 'plan', '--out', file);
    cluster.admin.failChange = 'w1 did not load layer 1 in time';
    const { stderr, exitCode } = await run('placement', 'apply', file, '--yes');
    expect([exitCode, stderr]).toEqual([
      1,
      expect.stringContaining('was taken back, 1 is in force: w1 did not load layer 1 in time'),
    ]);
  });

  it('leaves a change to go on after Ctrl-C, and says so', async () => {
    const file = join(tempDir(), 'plan.json');
    await run('placement', 'plan', '--out', file);
    cluster.admin.stopAfterLayers = 1;
    const { child, output, ended } = start(['placement', 'apply', file, '--yes']);
    await until(() => output.stderr.includes('1 of 2 layers'));
    child.kill('SIGINT');
    const { stderr, exitCode } = await ended;
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining('goes on without us')]);
    cluster.admin.finishChange();
  });

  it.each([
    ['{"baseVersion": 1}', 'placement: Invalid input'],
    ['plan', 'it is not JSON'],
  ])('refuses a file that is no plan: %s', async (content, reason) => {
    const file = join(tempDir(), 'plan.json');
    writeFileSync(file, content);
    expect((await run('placement', 'apply', file, '--yes')).stderr).toContain(`is not a plan (${reason}`);
  });
});

describe('expertmesh rebalance', () => {
  it('shows the plan of a dry run and changes nothing', async () => {
    const { stdout, exitCode } = await run('rebalance', '--dry-run');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/balanced plan from placement 1 to 2[^]*Nothing was changed: a dry run changes nothing/);
    expect(cluster.admin.inForce.version).toBe(1);
  });

  it('shows the plan and what it gains before it asks', async () => {
    cluster.admin.dryRunMessage = 'the plan gains 3.0 %';
    const { stdout, stderr, exitCode } = await run('rebalance');
    expect(stdout).toMatch(/balanced plan from placement 1 to 2[^]*\nthe plan gains 3\.0 %\n$/);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('give --yes')]);
  });

  it('does all at once with --yes', async () => {
    expect((await run('rebalance', '--yes')).stdout).toContain('Placement 2 is in force');
  });
});

describe('expertmesh experts', () => {
  it('shows hot and unused experts', async () => {
    const { stdout } = await run('experts', 'stats', '--window', 'total');
    expect(stdout).toContain('experts, total: 1000 rows in 100 steps, 2 of 4 experts each');
    expect(stdout).toMatch(/layer 0, expert 0 +70\.0 % +2\.80 +w0/);
  });

  it('records until enough tokens, or until Ctrl-C', async () => {
    const file = join(tempDir(), 'routes.trace');
    expect((await run('experts', 'record', file, '--max-tokens', '4')).stdout).toContain('4 tokens, 4 B');
    expect([...readFileSync(file)]).toEqual([0, 1, 2, 3]);
    expect((await run('experts', 'record', file)).stderr).toContain('exists: choose another file, or replace it');

    const { child, ended } = start(['experts', 'record', file, '--force']);
    await until(() => existsSync(file) && readFileSync(file).length > 6);
    child.kill('SIGINT');
    expect(await ended).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^Wrote .*: \d+ tokens/) as string,
    });
  });
});

describe('expertmesh audit', () => {
  it('lists who changed what with the outcome, newest first', async () => {
    expect((await run('audit')).stdout).toBe('Nothing was changed yet.\n');
    await run('workers', 'cordon', 'w1');
    await run('workers', 'uncordon', 'w1');
    const { stdout, exitCode } = await run('audit');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /^TIME +WHO +WHAT +CHANGE +OUTCOME\n\d{4}-[-\d: ]+ +\S+@\S+ +uncordon +2 -> 1 +done\n.* cordon /,
    );
    expect(await json('audit', '--limit', '1')).toMatchObject({ records: [{ action: 'uncordon' }] });
  });
});

describe('expertmesh top', () => {
  it('prints the whole screen once', async () => {
    const { stdout } = await run('top', '--once');
    expect(stdout).toContain('50.0 tok/s generated');
    expect(stdout).toContain('alarm hot-expert');
    expect(stdout).toMatch(/c0 +leads +41\.5 +3/);
  });

  it('is a line for each look where there is no terminal, until it is ended', async () => {
    const { child, output, ended } = start(['top', '--interval', '0.1']);
    await until(() => output.stdout.split('\n').length > 2);
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ exitCode: 0, stderr: '' });
    expect(output.stdout).toMatch(/^[-\d: ]+, 2 of 3 workers up, 50\.0 tok\/s generated/);
  });
});

describe('expertmesh rpc', () => {
  it('calls any method with JSON in and out', async () => {
    const { stdout } = await run('rpc', 'PlanPlacement', '-d', '{"policy": "eplb", "redundantExperts": 1}');
    // Eight experts, and one of them twice.
    expect(JSON.parse(stdout)).toMatchObject({
      baseVersion: 1,
      placement: { layers: [{ offsets: [0, 2, 3, 4, 5, 6, 7, 8, 9] }, {}] },
    });
    const stream = await run('rpc', 'AdminService/Rebalance', '-d', '{"dryRun": true}');
    expect(
      stream.stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toMatchObject([{ state: 'STATE_PLANNED' }, { state: 'STATE_NOT_NEEDED' }]);
  });

  it('gives each message of a stream the time, not all of them together', async () => {
    const { child, output, ended } = start(['rpc', 'WatchCluster', '-d', '{"intervalMs": 400}', '--timeout', '1']);
    await until(() => output.stdout.split('\n').length > 5);
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ exitCode: 1, stderr: '' });
  });

  it.each([
    [['PlanPlacement', '-d', '{"polcy": "eplb"}'], 1, 'a field polcy, which PlanRequest has not'],
    [['PlanPlacement', '-d', '[]'], 1, '--data must be a JSON object'],
    [['Nope'], 1, 'there is no method Nope: "expertmesh rpc --list" shows all'],
    [['GetStats', '-d', '{}', '--coordinator', 'a b'], 2, 'it must be an address'],
    [['Dispatch'], 1, 'takes a stream of requests'],
    [[], 2, 'missing argument'],
  ])('refuses %j', async (argv, exitCode, message) => {
    expect(await run('rpc', ...argv)).toMatchObject({ exitCode, stderr: expect.stringContaining(message) as string });
  });
});

describe('every command that speaks with a cluster', () => {
  it('says which address does not answer, and what to do', async () => {
    await cluster.close();
    const { stderr, exitCode } = await run('placement', 'history');
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /^expertmesh: coordinator 127\.0\.0\.1:\d+: .*ECONNREFUSED.*--coordinator or EXPERTMESH_COORDINATOR/,
    );
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});
