import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { CollectionAfterLarge } from './collection-after-large.js';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function start() {
  let numCollections = 0;
  const collection = new CollectionAfterLarge(() => numCollections++);
  return { collection, collections: () => numCollections };
}

it('collects once, two seconds after the last large message', () => {
  const { collection, collections } = start();
  collection.note(2 ** 25);
  vi.advanceTimersByTime(1_900);
  collection.note(2 ** 25);
  vi.advanceTimersByTime(1_900);
  collection.note(1);
  expect(collections()).toBe(0);
  vi.advanceTimersByTime(100);
  expect(collections()).toBe(1);
  vi.advanceTimersByTime(60_000);
  expect(collections()).toBe(1);
});

it('does not collect for small messages', () => {
  const { collection, collections } = start();
  for (let message = 0; message < 100; message++) collection.note(2 ** 20);
  vi.advanceTimersByTime(60_000);
  expect(collections()).toBe(0);
});
