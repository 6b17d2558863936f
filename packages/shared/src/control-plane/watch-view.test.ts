import { beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../process/logger.js';
import { bytes, RecordingWatch } from '@expertmesh/test-kit/recording-watch';
import { WatchView } from './watch-view.js';

let view: WatchView;
let watch: RecordingWatch;
const put = (key: string, value: string, revision: number): void => view.put({ key, value: bytes(value), revision });

beforeEach(async () => {
  view = new WatchView(createLogger({ name: 'test', level: 'silent' }));
  watch = new RecordingWatch();
  view.beginSync();
  put('a', '1', 1);
  put('b', '1', 2);
  view.endSync();
  view.watch(watch);
  await watch.current;
  watch.told.length = 0;
});

describe('WatchView', () => {
  it('tells of a sync only what is different, with deletions when it ends', () => {
    view.beginSync();
    put('a', '1', 1);
    put('c', '1', 4);
    expect(watch.told).toEqual(['c=1']);
    view.endSync();
    expect(watch.told).toEqual(['c=1', 'b deleted']);
    expect(watch.numCurrent).toBe(1);
  });

  it('tells another value of a revision that the server has given twice', () => {
    view.beginSync();
    put('a', 'other', 1);
    put('b', '1', 2);
    view.endSync();
    expect(watch.told).toEqual(['a=other']);
  });

  it('tells of a sync that broke off, and of the next one, what each has found', () => {
    view.beginSync();
    put('a', '2', 3);
    view.beginSync();
    put('b', '1', 2);
    view.endSync();
    expect(watch.told).toEqual(['a=2', 'a deleted']);
  });

  it('tells a watch that begins during a sync when it is current, once', async () => {
    view.beginSync();
    const late = new RecordingWatch();
    view.watch(late);
    await Promise.resolve();
    expect(late.told).toEqual(['a=1', 'b=1']);
    expect(late.numCurrent).toBe(0);
    put('a', '1', 1);
    put('b', '2', 3);
    view.endSync();
    expect(late.told).toEqual(['a=1', 'b=1', 'b=2']);
    expect(late.numCurrent).toBe(1);
  });
});
