import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { packCheckpoint } from '@expertmesh/shared/expert-store/pack/pack-checkpoint';
import { ExpertmeshProcess } from '@expertmesh/test-kit/process';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { workerArgs } from '@expertmesh/test-kit/worker-fleet';
import { NUM_LAYERS, range } from './demo-calls.js';
import { WorkerClient, type AssignRequest } from './worker-client.js';

export const DEMO_MODEL_DIR = fileURLToPath(new URL('../../models/qwen3-moe-demo', import.meta.url));

export interface DemoStore {
  readonly dir: string;
  readonly storeId: string;
}

/** The demo model in 32 bits, in a directory of this test process. */
export async function packDemoStore(): Promise<DemoStore> {
  const dir = join(tempDir(), 'store');
  await packCheckpoint({ hfDir: DEMO_MODEL_DIR, storeDir: dir, bits: 32 });
  const { storeId } = await openExpertStore(dir);
  return { dir, storeId };
}

/** A worker process that holds nothing yet, and a client of it. */
export async function startWorker(store: DemoStore, ...flags: string[]) {
  const worker = ExpertmeshProcess.start(workerArgs(store.dir, ['--log-level', 'warn', ...flags]));
  const { dataPort, controlPort } = await worker.listening('worker');
  const client = new WorkerClient({ dataPort, controlPort, storeId: store.storeId });
  return { worker, dataPort, controlPort, client };
}

/** The same experts of every layer. */
export function assignment(store: DemoStore, placementVersion: number, expertIds: number[]): AssignRequest {
  return {
    placementVersion,
    storeId: store.storeId,
    shards: range(0, NUM_LAYERS).map((layerIndex) => ({ layerIndex, expertIds })),
  };
}
