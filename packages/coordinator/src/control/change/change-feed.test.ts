import { ChangeProgress, ChangeProgress_State } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { describe, expect, it } from 'vitest';
import { settle } from '@expertmesh/test-kit/settle';
import { ChangeFeed } from './change-feed.js';

const { STATE_PLANNED, STATE_MOVING, STATE_DONE } = ChangeProgress_State;

async function collect(feed: ChangeFeed, states: ChangeProgress_State[]): Promise<void> {
  for await (const { state } of feed.follow()) states.push(state);
}

describe('ChangeFeed', () => {
  it('tells any number of followers, each from the newest message on, and ends with the change', async () => {
    const feed = new ChangeFeed(ChangeProgress.create({ state: STATE_PLANNED }));
    const [early, late]: ChangeProgress_State[][] = [[], []];
    if (early === undefined || late === undefined) throw new Error('two followers');
    const first = collect(feed, early);
    await settle();
    feed.tell({ state: STATE_MOVING });
    await settle();
    const second = collect(feed, late);
    await settle();
    feed.tell({ state: STATE_DONE });
    await Promise.all([first, second]);
    expect(early).toEqual([STATE_PLANNED, STATE_MOVING, STATE_DONE]);
    expect(late).toEqual([STATE_MOVING, STATE_DONE]);
    expect(feed.isOver).toBe(true);
  });

  it('lets a slow follower miss steps, never the last one', async () => {
    const feed = new ChangeFeed(ChangeProgress.create({ state: STATE_PLANNED }));
    const followed = feed.follow();
    await followed.next();
    feed.tell({ state: STATE_MOVING, layersDone: 1 });
    feed.tell({ state: STATE_MOVING, layersDone: 2 });
    feed.tell({ state: STATE_DONE, layersDone: 3 });
    expect((await followed.next()).value).toMatchObject({ state: STATE_DONE, layersDone: 3 });
    expect((await followed.next()).done).toBe(true);
  });

  it('fails all followers when the change is left to another leader', async () => {
    const feed = new ChangeFeed(ChangeProgress.create({ state: STATE_MOVING }));
    const following = collect(feed, []);
    await settle();
    feed.fail(new Error('it leads no longer'));
    await expect(following).rejects.toThrow('it leads no longer');
    await expect(collect(feed, [])).rejects.toThrow('it leads no longer');
  });
});
