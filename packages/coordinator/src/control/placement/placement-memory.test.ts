import { ADMISSIONS_KEY, documentKey, IN_FORCE_KEY } from '@expertmesh/shared/cluster/cluster-keys';
import {
  encodePlacementDocument,
  encodePlacementInForce,
  encodeWorkerAdmissions,
  type PlacementInForce,
} from '@expertmesh/shared/cluster/placement-document';
import { createLogger } from '@expertmesh/shared/process/logger';
import { describe, expect, it } from 'vitest';
import { placementDocument } from '@expertmesh/test-kit/placement-stores';
import { PlacementMemory } from './placement-memory.js';

const written = (version: number, storeId = 'store-1'): [string, Uint8Array] => [
  documentKey(version),
  encodePlacementDocument(placementDocument(version, storeId)),
];
const inForce = (record: Omit<PlacementInForce, 'formatVersion' | 'epoch'>): [string, Uint8Array] => [
  IN_FORCE_KEY,
  encodePlacementInForce({ formatVersion: 1, epoch: 1, ...record }),
];

function remember(...entries: readonly [string, Uint8Array][]) {
  const disk = new Map<string, Uint8Array>();
  const memory = new PlacementMemory({
    storeId: 'store-1',
    stateDirectory: { write: (key, value) => disk.set(key, value), delete: (key) => disk.delete(key) },
    heardEpoch: () => undefined,
    logger: createLogger({ name: 'test', level: 'silent' }),
  });
  for (const [key, value] of entries) memory.take(key, value);
  const versions = memory.documents().map(({ placement }) => placement.version);
  return { memory, disk, versions };
}

describe('PlacementMemory', () => {
  it('forgets what is of no use here and on disk, in whatever order it hears of it', () => {
    const record = inForce({ version: 4, history: { inForce: [2, 4], last: 4 } });
    const documents = [1, 2, 3, 4].map((version) => written(version));
    for (const { disk, versions } of [remember(...documents, record), remember(record, ...documents)]) {
      expect(versions).toEqual([4, 2]);
      expect([...disk.keys()].sort()).toEqual(['document/2', 'document/4', IN_FORCE_KEY]);
    }
  });

  it('remembers the highest version of all, of other stores and of what is forgotten too', () => {
    expect(remember(written(7, 'store-2')).memory.lastVersion).toBe(7);
    expect(remember(inForce({ version: 1, history: { inForce: [1], last: 9 } })).memory.lastVersion).toBe(9);
    expect(remember(inForce({ version: 1, change: { toVersion: 3, doneLayers: [] } })).memory.lastVersion).toBe(3);
  });

  it('routes by the same value when nothing but an admission has changed in the middle of a change', () => {
    const record = inForce({ version: 1, change: { toVersion: 2, doneLayers: [0] } });
    const { memory } = remember(written(1), written(2), record);
    const { routing } = memory;
    const admissions = { formatVersion: 1, epoch: 1, workers: { a: 'cordoned' }, untilRestart: {} } as const;
    expect(memory.take(ADMISSIONS_KEY, encodeWorkerAdmissions(admissions))).toBe(true);
    expect(memory.admissions).toEqual(admissions);
    expect(routing).toBeDefined();
    expect(memory.routing).toBe(routing);
  });

  it('takes documents for the history where an earlier release has written none', () => {
    const record = inForce({ version: 2, change: { toVersion: 3, doneLayers: [] } });
    expect(remember(...[1, 2, 3].map((version) => written(version)), record).memory.versionsInForce).toEqual([1, 2]);
  });
});
