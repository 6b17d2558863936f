import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openExpertStore, type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { STORE_FORMAT_VERSION } from '@expertmesh/shared/expert-store/manifest';
import { type SynthPreset } from '@expertmesh/shared/expert-store/synth/presets';
import { ExpertmeshProcess } from '@expertmesh/test-kit/process';
import { readWhole } from '../limits/machine-limits.js';

export interface Geometry {
  readonly preset: SynthPreset;
  readonly numLayers: number;
}

export const GEOMETRY_30B: Geometry = { preset: 'qwen3-30b-a3b', numLayers: 12 };
/** Two layers, as one alone would never be followed by another one's weights. */
export const GEOMETRY_235B: Geometry = { preset: 'qwen3-235b-a22b', numLayers: 2 };

const QUANTISATION_FLAGS = ['--bits', '4', '--block-size', '128'];
const SYNTH_TIMEOUT_MS = 1_800_000;

/** The store of a geometry: 4 bits, blocks of 128. It is written the first time, by `expertmesh synth`. */
export async function dummyStore(cacheDir: string, { preset, numLayers }: Geometry): Promise<ExpertStore> {
  const dir = join(cacheDir, `${preset}-${String(numLayers)}-layers-4bit-block128-v${String(STORE_FORMAT_VERSION)}`);
  if (existsSync(dir)) {
    try {
      return await openExpertStore(dir);
    } catch {
      // It was written by a release with another layout: it is written anew.
    }
  }
  mkdirSync(cacheDir, { recursive: true });
  const flags = ['--preset', preset, '--layers', String(numLayers), ...QUANTISATION_FLAGS, '--force'];
  const synth = ExpertmeshProcess.start(['synth', ...flags, dir]);
  await synth.until(() => synth.hasExited || existsSync(join(dir, 'manifest.json')), 'wrote a store', SYNTH_TIMEOUT_MS);
  await synth.exited();
  return openExpertStore(dir);
}

/** Reads all weights once, so that they are in the page cache. */
export function readIntoPageCache(store: ExpertStore): void {
  for (const { path } of store.manifest.blobs) readWhole(join(store.dir, path));
}
