import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ApplyRequest,
  ChangeProgress_State as State,
  type AuditRecord,
  type ChangeProgress,
  type PlacementView,
} from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { RpcClient } from '@expertmesh/shared/rpc/client';
import { adminService } from '@expertmesh/shared/rpc/services';
import { packDemoStore } from '@expertmesh/test-kit/demo-store';
import { ExpertmeshProcess, stopAll } from '@expertmesh/test-kit/process';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { startWorkers } from '@expertmesh/test-kit/worker-fleet';

const SPOILT_EXPERT = join('layer-001', 'expert-003');
/** Between the first repair that is taken back and the next. */
const RETRY_MS = 5_000;
const within = { deadlineMs: 60_000, signal: new AbortController().signal };

/** In the place of one expert's weights there is a directory with something in it: nobody can read it, or mend it. */
function spoil(storeDir: string): void {
  const [layer = '', expert = ''] = SPOILT_EXPERT.split('/');
  const dir = join(storeDir, 'experts', layer);
  const file = join(dir, readdirSync(dir).find((name) => name.startsWith(expert)) ?? '');
  rmSync(file);
  mkdirSync(file);
  writeFileSync(join(file, 'something'), '');
}

describe('a change of placement that a worker cannot follow', () => {
  let sound: ExpertmeshProcess;
  let coordinator: ExpertmeshProcess;
  let url: string;
  let admin: RpcClient;

  // Two workers share the experts; the second one's store has a defect in an expert that the first one holds.
  beforeAll(async () => {
    const storeDir = await packDemoStore();
    const defectDir = join(tempDir(), 'store');
    cpSync(storeDir, defectDir, { recursive: true });
    spoil(defectDir);
    const fleets = [await startWorkers(storeDir, 1), await startWorkers(defectDir, 1)];
    const workers = fleets.flatMap(({ controlAddresses }) => controlAddresses);
    const addresses = workers.map(({ host, port }) => `${host}:${String(port)}`).join(',');
    coordinator = ExpertmeshProcess.start([
      ...['coordinator', '--store', storeDir, '--workers', addresses, '--port', '0', '--grpc-port', '0'],
      ...['--cache-dir', tempDir(), '--num-threads', '1', '--repair-after-ms', '1000', '--served-model-name', 'demo'],
    ]);
    const { httpPort, grpcPort } = await coordinator.listening('coordinator');
    url = `http://127.0.0.1:${String(httpPort)}`;
    admin = new RpcClient(`127.0.0.1:${String(grpcPort)}`, 'the coordinator');
    const [process] = fleets[0]?.processes ?? [];
    if (process === undefined) throw new Error('a worker was started');
    sound = process;
    await coordinator.until(async () => (await fetch(`${url}/health/ready`)).ok, 'is ready');
  });
  afterAll(async () => {
    admin.close();
    await stopAll();
  });

  const placement = (): Promise<PlacementView> => admin.unary(adminService.getPlacement, { version: 0 }, within);
  /** Oldest first. */
  const audit = async (): Promise<AuditRecord[]> =>
    (await admin.unary(adminService.listAudit, { limit: 0 }, within)).records.reverse();

  /** What the model says to a prompt, always the same. */
  async function generate(): Promise<string> {
    const body = JSON.stringify({ model: 'demo', prompt: '1 2 3 4', max_tokens: 8, temperature: 0 });
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${url}/v1/completions`, { method: 'POST', headers, body });
    if (!answer.ok) throw new Error(await answer.text());
    return ((await answer.json()) as { choices: { text: string }[] }).choices[0]?.text ?? '';
  }

  it('is taken back: the placement before stays in force, requests go on, and the records say why', async () => {
    const before = await placement();
    const text = await generate();
    const layers = before.layers.map((layer) => ({ ...layer, workerIndices: layer.workerIndices.map((w) => 1 - w) }));
    const plan = { baseVersion: before.version, placement: { ...before, layers, reason: 'swapped' } };
    const changes = admin.serverStream(
      adminService.applyPlacement,
      ApplyRequest.fromPartial({ plan, actor: 'ada' }),
      within,
    );
    const told: ChangeProgress[] = [];
    for await (const progress of changes) {
      told.push(progress);
      expect(await generate()).toBe(text);
    }
    expect(told.map(({ state }) => state)).toContain(State.STATE_ROLLING_BACK);
    expect(told.at(-1)).toMatchObject({ state: State.STATE_ROLLED_BACK, fromVersion: 1, layersDone: 0 });
    expect(told.at(-1)?.message).toContain('expert-003');
    expect(await placement()).toMatchObject({ version: before.version, layers: before.layers.map(holders) });
    expect(await generate()).toBe(text);
    expect((await audit()).at(-1)).toMatchObject({
      actor: 'ada',
      before: 'version 1',
      outcome: expect.stringMatching(/^rolled back: .*expert-003/) as string,
    });
    const { placements } = await admin.unary(adminService.listPlacements, { limit: 0 }, within);
    expect(placements.at(-1)?.version).toBe(1);
  });

  it('is tried again by the leader only after a while', async () => {
    await sound.stop('SIGKILL');
    const repairs = async (): Promise<AuditRecord[]> =>
      (await audit()).filter(({ actor, outcome }) => actor === 'expertmesh' && outcome.startsWith('rolled back'));
    await coordinator.until(async () => (await repairs()).length >= 2, 'has tried to repair twice', 60_000);
    const [first, second] = await repairs();
    expect((second?.timeMs ?? 0) - (first?.timeMs ?? 0)).toBeGreaterThanOrEqual(RETRY_MS);
  });
});

const holders = ({ layerIndex, offsets, workerIndices }: PlacementView['layers'][number]) => ({
  layerIndex,
  offsets,
  workerIndices,
});
