import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { expertBlobPath } from '@expertmesh/shared/expert-store/blob-path';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { WorkerState } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { createLogger } from '@expertmesh/shared/process/logger';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { WorkerCounters } from '../calls/worker-counters.js';
import { scrubExperts } from './scrub-experts.js';

it('withdraws an expert that is damaged, and has its file hashed before anybody loads it again', async () => {
  const file = join(tempDir(), 'expert');
  writeFileSync(file, 'other weights');
  const before = statSync(file, { bigint: true });
  await sleep(20);
  const path = expertBlobPath(2, 7);
  const store = {
    blob: () => ({ path, sizeBytes: 13, sha256: 'of the right weights' }),
    requireBlobFile: () => Promise.resolve(file),
  } as Partial<ExpertStore> as ExpertStore;
  const events: string[] = [];
  const stop = new AbortController();
  const held = {
    placementVersion: 1,
    packedBytes: 13,
    numExpertsLoaded: 1,
    numWithdrawnExperts: 0,
    lastDamage: '',
    epoch: 1,
  };
  let shards = [{ layerIndex: 2, expertIds: [7] }];
  await scrubExperts(
    {
      store,
      bytesPerSecond: 2 ** 30,
      control: {
        state: () => ({ ...held, state: WorkerState.WORKER_STATE_SERVING, shards }),
        withdraw: (layerIndex, expertId) => {
          events.push(`withdraw ${String(layerIndex)}/${String(expertId)}`);
          shards = [];
          setTimeout(() => {
            stop.abort();
          }, 100);
          return Promise.resolve();
        },
      },
      compute: { suspect: (suspected) => events.push(`suspect ${suspected}`) },
      counters: new WorkerCounters(),
      logger: createLogger({ name: 'test', level: 'silent' }),
    },
    stop.signal,
  );
  expect(events).toEqual([`suspect ${path}`, 'withdraw 2/7']);
  expect(statSync(file, { bigint: true }).ctimeNs).toBeGreaterThan(before.ctimeNs);
});
