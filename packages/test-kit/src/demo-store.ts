import { join } from 'node:path';
import { packCheckpoint } from '@expertmesh/shared/expert-store/pack/pack-checkpoint';
import { tempDir } from './temp-dir.js';

const DEMO_DIR = join(import.meta.dirname, '../../../models/qwen3-moe-demo');

/** The demo model packed to 8 bits, in a directory that is removed when the test process ends. */
export async function packDemoStore(): Promise<string> {
  const storeDir = join(tempDir(), 'store');
  await packCheckpoint({ hfDir: DEMO_DIR, storeDir, bits: 8, blockSize: 32 });
  return storeDir;
}
