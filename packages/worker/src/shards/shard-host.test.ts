import { describe, expect, it } from 'vitest';
import { type LayerShard, type LoadProgress } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type Assignment } from './assignment.js';
import { LoadedLayer } from './loaded-layer.js';
import { ShardHost } from './shard-host.js';

const NUM_EXPERTS = 8;
const NEVER = new AbortController().signal;
const noProgress = (): void => undefined;
const nameOf = ({ layerIndex, expertIds }: LayerShard): string => `${String(layerIndex)}:${expertIds.join(',')}`;

const assign = (placementVersion: number, ...shards: [layerIndex: number, ...expertIds: number[]][]): Assignment => ({
  epoch: 1,
  placementVersion,
  storeId: '',
  shards: shards.map(([layerIndex, ...expertIds]) => ({ layerIndex, expertIds })),
});

/**
 * A host over a loader that notes what it loads and closes, and fails for layer 9; the blobs of layer 8 are not what
 * they should be.
 */
function openHost(onLoad: (shard: LayerShard) => void = () => undefined) {
  const events: string[] = [];
  const verified: string[] = [];
  const host = new ShardHost({
    storeId: '0123456789abcdef',
    hiddenSize: 4,
    packedBytesOf: ({ expertIds }) => 100 * expertIds.length,
    verify: (shards) => {
      verified.push(`begin ${shards.map(nameOf).join(' ')}`);
      return {
        passed: (paths) =>
          paths.includes('experts/layer-008/expert-001.bin') ? Promise.reject(new Error('altered')) : Promise.resolve(),
        end: () => {
          verified.push('end');
          return Promise.resolve();
        },
      };
    },
    loadLayer: (shard) => {
      onLoad(shard);
      if (shard.layerIndex === 9) return Promise.reject(new Error('damaged'));
      events.push(`load ${nameOf(shard)}`);
      const close = (): Promise<void> => {
        events.push(`close ${nameOf(shard)}`);
        return Promise.resolve();
      };
      return Promise.resolve(new LoadedLayer(shard, NUM_EXPERTS, { run: () => Promise.resolve([]), close }));
    },
  });
  return { host, events, verified };
}

describe('ShardHost', () => {
  it('serves what it has loaded, and tells how far it is', async () => {
    const { host } = openHost();
    const told: LoadProgress[] = [];
    expect(host.served).toBeUndefined();
    await host.load(assign(3, [0, 1, 2], [5, 7]), (progress) => told.push(progress), NEVER);
    expect([...(host.served?.layers.get(0)?.localIndices ?? [])]).toEqual([-1, 0, 1, -1, -1, -1, -1, -1]);
    expect(told.map(({ loadedBytes, loadedLayers }) => [loadedBytes, loadedLayers])).toEqual([
      [0, 0],
      [200, 1],
      [300, 2],
    ]);
    expect(told.every(({ totalBytes, totalLayers }) => totalBytes === 300 && totalLayers === 2)).toBe(true);
  });

  it('does not find a withdrawn expert, and loads its layer anew, which serves till then without it', async () => {
    const { host, events } = openHost();
    await host.load(assign(1, [0, 1, 2], [1, 1]), noProgress, NEVER);
    host.withdraw(0, 2);
    expect([...(host.served?.layers.get(0)?.localIndices ?? [])].slice(0, 4)).toEqual([-1, 0, -1, -1]);
    await host.load(assign(1, [0, 1, 2], [1, 1]), noProgress, NEVER);
    expect(host.served?.layers.get(0)?.localIndices[2]).toBe(1);
    expect(events).toEqual(['load 0:1,2', 'load 1:1', 'load 0:1,2', 'close 0:1,2']);
  });

  it('keeps the layers whose experts stay, and drops the others once the new version is complete', async () => {
    const { host, events } = openHost();
    await host.load(assign(1, [0, 1, 2], [5, 7]), noProgress, NEVER);
    await host.load(assign(2, [0, 1, 2], [5, 6]), noProgress, NEVER);
    expect(events).toEqual(['load 0:1,2', 'load 5:7', 'load 5:6', 'close 5:7']);
  });

  it('serves the old version while the new one is loaded, and after that has failed', async () => {
    const servedLayer = () => host.served?.layers.get(0)?.shard.expertIds;
    const during: (number[] | undefined)[] = [];
    const { host, events } = openHost(() => during.push(servedLayer()));
    await host.load(assign(1, [0, 1]), noProgress, NEVER);
    await expect(host.load(assign(2, [0, 2], [9, 2]), noProgress, NEVER)).rejects.toThrow('damaged');
    expect(during).toEqual([undefined, [1], [1]]);
    expect(servedLayer()).toEqual([1]);
    expect(events).not.toContain('close 0:1');
  });

  it('goes on from what an earlier attempt has loaded, and drops what is no longer assigned', async () => {
    const { host, events } = openHost();
    await expect(host.load(assign(1, [0, 1], [4, 1], [9, 1]), noProgress, NEVER)).rejects.toThrow('damaged');
    await host.load(assign(2, [0, 1], [5, 1]), noProgress, NEVER);
    expect(events).toEqual(['load 0:1', 'load 4:1', 'close 4:1', 'load 5:1']);
  });

  it('stops between layers after an abort', async () => {
    const abort = new AbortController();
    const { host, events } = openHost();
    const stopAfterFirst = ({ loadedLayers }: LoadProgress): void => {
      if (loadedLayers === 1) abort.abort();
    };
    await expect(host.load(assign(1, [0, 1], [1, 1]), stopAfterFirst, abort.signal)).rejects.toMatchObject({
      code: 'cancelled',
    });
    expect(events).toEqual(['load 0:1']);
    expect(host.served).toBeUndefined();
  });

  it('verifies the shards that are not there yet, before it loads them', async () => {
    const { host, events, verified } = openHost();
    await host.load(assign(1, [0, 1], [5, 7]), noProgress, NEVER);
    await expect(host.load(assign(2, [5, 7], [6, 1], [8, 1]), noProgress, NEVER)).rejects.toThrow('altered');
    expect(verified).toEqual(['begin 0:1 5:7', 'end', 'begin 6:1 8:1', 'end']);
    expect(events).toEqual(['load 0:1', 'load 5:7', 'load 6:1']);
  });

  it('holds nothing after an assignment without experts', async () => {
    const { host, events } = openHost();
    await host.load(assign(1, [0, 1]), noProgress, NEVER);
    await host.load(assign(2), noProgress, NEVER);
    expect(host.served?.layers.size).toBe(0);
    expect(events).toEqual(['load 0:1', 'close 0:1']);
  });

  it('serves a changed layer at once, and closes its predecessor only after the calls that wait for it', async () => {
    const { host, events } = openHost();
    await host.load(assign(1, [0, 1, 2]), noProgress, NEVER);
    const before = host.served?.layers.get(0);
    before?.acquire();
    const loaded = host.load(assign(2, [0, 2, 3]), noProgress, NEVER);
    await expect.poll(() => host.served?.layers.get(0)?.shard.expertIds).toEqual([2, 3]);
    expect(events).toEqual(['load 0:1,2', 'load 0:2,3']);
    before?.release();
    await loaded;
    expect(events).toEqual(['load 0:1,2', 'load 0:2,3', 'close 0:1,2']);
  });

  it('closes a dropped layer only after the calls that wait for it', async () => {
    const { host, events } = openHost();
    await host.load(assign(1, [0, 1]), noProgress, NEVER);
    const layer = host.served?.layers.get(0);
    layer?.acquire();
    const unloaded = host.unload();
    expect(host.served).toBeUndefined();
    await Promise.resolve();
    expect(events).toEqual(['load 0:1']);
    layer?.release();
    await unloaded;
    expect(events).toEqual(['load 0:1', 'close 0:1']);
  });
});
