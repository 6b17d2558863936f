import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openExpertStore, type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { STORE_FORMAT_VERSION } from '@expertmesh/shared/expert-store/manifest';
import { packCheckpoint } from '@expertmesh/shared/expert-store/pack/pack-checkpoint';

const MODEL_DIR = join(import.meta.dirname, '../../../models/qwen3-moe-demo');

/** The demo model, exact. */
export async function packedDemoModel(cacheDir: string): Promise<ExpertStore> {
  const storeDir = join(cacheDir, `demo-32bit-v${String(STORE_FORMAT_VERSION)}`);
  if (!existsSync(join(storeDir, 'manifest.json')))
    await packCheckpoint({ hfDir: MODEL_DIR, storeDir, bits: 32, force: true, onProgress: () => undefined });
  return openExpertStore(storeDir);
}
