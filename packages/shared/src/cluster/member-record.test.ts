import { describe, expect, it } from 'vitest';
import {
  encodeCoordinatorRecord,
  encodeLeaderRecord,
  encodeWorkerRecord,
  parseCoordinatorRecord,
  parseLeaderRecord,
  parseWorkerRecord,
  type CoordinatorRecord,
  type LeaderRecord,
  type WorkerRecord,
} from './member-record.js';

const worker: WorkerRecord = {
  formatVersion: 1,
  workerId: 'box-1',
  bootId: 'boot-1',
  heartbeat: 3,
  controlAddress: '[::1]:9101',
  storeId: 'store',
  failureDomain: 'rack-1',
};
const coordinator: CoordinatorRecord = {
  formatVersion: 1,
  coordinatorId: 'c-1',
  bootId: 'boot-2',
  heartbeat: 0,
  adminAddress: 'box-1.lan:9000',
  appliedVersion: 0,
  appliedLayers: 0,
  load: { generationTokensPerSecond: 1.5, promptTokensPerSecond: 0, numRunning: 2, numWaiting: 0, kvCacheUsage: 0.25 },
};
const leader: LeaderRecord = {
  formatVersion: 1,
  coordinatorId: 'c-1',
  bootId: 'boot-2',
  epoch: 4,
  renewal: 9,
  hasResigned: false,
};

describe('member records', () => {
  it('are the same after they were encoded and parsed', () => {
    expect(parseWorkerRecord(encodeWorkerRecord(worker))).toEqual(worker);
    expect(parseCoordinatorRecord(encodeCoordinatorRecord(coordinator))).toEqual(coordinator);
    expect(parseLeaderRecord(encodeLeaderRecord(leader))).toEqual(leader);
  });

  it.each<[string, Partial<WorkerRecord>]>([
    ['no port', { controlAddress: 'box-1' }],
    ['no address', { controlAddress: 'nobody home' }],
    ['an empty id', { workerId: '' }],
    ['an id without end', { workerId: 'x'.repeat(300) }],
    ['half a heartbeat', { heartbeat: 0.5 }],
  ])('of a worker with %s are refused', (_, change) => {
    expect(() => parseWorkerRecord(encodeWorkerRecord({ ...worker, ...change }))).toThrow('a worker record is broken');
  });

  it('of one kind are none of another', () => {
    expect(() => parseWorkerRecord(encodeLeaderRecord(leader))).toThrow('a worker record is broken (workerId');
  });
});
