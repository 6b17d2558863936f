import { expect, it } from 'vitest';
import { defaultStateDir } from './default-state-dir.js';

it('keeps apart what is remembered of clusters, of stores, and of a coordinator without a cluster', () => {
  const alone = { cacheDir: '/cache', natsUrl: undefined, cluster: 'default' };
  const member = { ...alone, natsUrl: 'nats://box-0:4222' };
  const [store, other] = [{ storeId: 'a'.repeat(64) }, { storeId: 'b'.repeat(64) }];
  const dirs = [
    defaultStateDir(alone, store),
    defaultStateDir(member, store),
    defaultStateDir({ ...member, cluster: 'lab' }, store),
    defaultStateDir(member, other),
  ];
  expect(new Set(dirs).size).toBe(4);
  expect(dirs[1]).toBe(`/cache/state/default-${'a'.repeat(16)}`);
});
