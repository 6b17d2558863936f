import { describe, expect, it } from 'vitest';
import {
  initialLeaderState,
  nextDueMs,
  transition,
  type LeaderAction,
  type LeaderEntry,
  type LeaderEvent,
  type LeaderState,
} from './leader-state.js';
import { type LeaderRecord } from './member-record.js';

const due: LeaderEvent = { type: 'due', isStale: false };
const changed: LeaderEvent = { type: 'due', isStale: true };
const written = (revision: number): LeaderEvent => ({ type: 'written', revision });
const read = (entry?: LeaderEntry): LeaderEvent => ({ type: 'read', entry });

const recordOf = (coordinatorId: string, epoch: number, renewal: number, hasResigned = false): LeaderRecord => ({
  formatVersion: 1,
  coordinatorId,
  bootId: `boot of ${coordinatorId}`,
  epoch,
  renewal,
  hasResigned,
});
const ofOther = (epoch: number, renewal: number, hasResigned = false): LeaderEntry => ({
  revision: 100 + renewal,
  record: recordOf('other', epoch, renewal, hasResigned),
});

/** Short form of an action. */
function brief(action: LeaderAction): string {
  if (action.type === 'elected') return `elected ${String(action.epoch)}`;
  if (action.type === 'deposed') return `deposed: ${action.reason}`;
  if (action.call.type === 'read') return 'read';
  const { record, revision } = action.call;
  return `write epoch ${String(record.epoch)} over ${String(revision ?? 'nothing')}`;
}

/** Follows one coordinator through events at their times. */
class Story {
  state: LeaderState = initialLeaderState({ coordinatorId: 'self', bootId: 'boot of self' });
  knownEpoch = 0;

  /** What the event leads to. */
  at(nowMs: number, event: LeaderEvent): string[] {
    const [next, actions] = transition(this.state, event, {
      nowMs,
      knownEpoch: this.knownEpoch,
      nextEpoch: (known) => known + 1,
    });
    this.state = next;
    return actions.map(brief);
  }

  /** Elected at 0 with revision 1. */
  static ofLeader(): Story {
    const story = new Story();
    story.at(0, changed);
    story.at(0, read());
    story.at(0, written(1));
    return story;
  }
}

describe('a coordinator that finds nobody who leads', () => {
  it('takes the office with compare-and-set, under an epoch above all that are known', () => {
    const story = new Story();
    story.knownEpoch = 6;
    expect(story.at(0, changed)).toEqual(['read']);
    expect(story.at(10, read())).toEqual(['write epoch 7 over nothing']);
    expect(story.at(20, written(1))).toEqual(['elected 7']);
    expect(nextDueMs(story.state)).toBe(10 + 1_000);
  });

  it('reads who was quicker, and follows', () => {
    const story = new Story();
    story.at(0, changed);
    story.at(0, read());
    expect(story.at(20, { type: 'refused' })).toEqual(['read']);
    expect(story.at(30, read(ofOther(1, 1)))).toEqual([]);
    expect(nextDueMs(story.state)).toBe(30 + 3_000);
  });

  it('does not lead on the strength of an answer that came too late', () => {
    const story = new Story();
    story.at(0, changed);
    story.at(0, read());
    expect(story.at(2_600, written(1))).toEqual(['write epoch 2 over 1']);
    expect(story.at(2_610, written(2))).toEqual(['elected 2']);
  });

  it('takes a record that makes no sense for somebody, until it has not changed for the lease', () => {
    const story = new Story();
    story.at(0, changed);
    expect(story.at(0, read({ revision: 5, record: undefined }))).toEqual([]);
    expect(story.at(2_999, due)).toEqual([]);
    expect(story.at(3_000, due)).toEqual(['write epoch 1 over 5']);
  });
});

describe('the leader', () => {
  it('renews its record every second, from when it sent the last renewal', () => {
    const story = Story.ofLeader();
    expect(story.at(999, due)).toEqual([]);
    expect(story.at(1_000, due)).toEqual(['write epoch 1 over 1']);
    expect(story.at(1_400, written(2))).toEqual([]);
    expect(story.at(2_000, due)).toEqual(['write epoch 1 over 2']);
  });

  it('stops acting after 2.5 s without a renewal, and takes the office anew when calls are answered again', () => {
    const story = Story.ofLeader();
    expect(story.at(1_000, due)).toEqual(['write epoch 1 over 1']);
    expect(story.at(1_500, { type: 'failed' })).toEqual([]);
    expect(story.at(1_750, due)).toEqual(['read']);
    expect(nextDueMs(story.state)).toBe(2_500);
    expect(story.at(2_500, due)).toEqual(["deposed: the leader's record could not be renewed for 2500 ms"]);
    expect(story.at(3_000, { type: 'failed' })).toEqual([]);
    expect(story.at(3_100, { type: 'connected' })).toEqual(['read']);
    expect(story.at(3_110, read({ revision: 2, record: recordOf('self', 1, 2) }))).toEqual(['write epoch 2 over 2']);
    expect(story.at(3_120, written(3))).toEqual(['elected 2']);
  });

  it('finds a renewal that had no answer, and goes on', () => {
    const story = Story.ofLeader();
    story.at(1_000, due);
    story.at(1_100, { type: 'failed' });
    expect(story.at(1_350, due)).toEqual(['read']);
    expect(story.at(1_360, read({ revision: 2, record: recordOf('self', 1, 2) }))).toEqual(['write epoch 1 over 2']);
    expect(story.at(1_370, written(3))).toEqual([]);
  });

  it('is not elected again by a renewal whose answer came after it was deposed', () => {
    const story = Story.ofLeader();
    story.at(2_400, due);
    expect(story.at(2_500, due)).toEqual(["deposed: the leader's record could not be renewed for 2500 ms"]);
    expect(story.at(2_600, written(2))).toEqual(['write epoch 2 over 2']);
  });

  it('steps down when another has taken over', () => {
    const story = Story.ofLeader();
    story.at(1_000, due);
    expect(story.at(1_010, { type: 'refused' })).toEqual(['read']);
    expect(story.at(1_020, read(ofOther(2, 1)))).toEqual(['deposed: other leads under epoch 2']);
    expect(story.at(4_000, due)).toEqual([]);
    expect(story.at(4_020, due)).toEqual(['write epoch 3 over 101']);
  });

  it('writes its record again when the control plane has lost it', () => {
    const story = Story.ofLeader();
    expect(story.at(500, changed)).toEqual(['read']);
    expect(story.at(510, read())).toEqual(['write epoch 1 over nothing']);
    expect(story.at(520, written(9))).toEqual([]);
  });

  it('takes a higher epoch when the cluster knows one already', () => {
    const story = Story.ofLeader();
    story.knownEpoch = 5;
    expect(story.at(300, due)).toEqual(['deposed: epoch 5 is known to the cluster already', 'write epoch 6 over 1']);
    expect(story.at(310, written(2))).toEqual(['elected 6']);
  });
});

describe('a follower', () => {
  const follower = (): Story => {
    const story = new Story();
    story.at(0, changed);
    story.at(0, read(ofOther(4, 1)));
    return story;
  };

  it('takes over when the record has not changed for 3 s by its own clock', () => {
    const story = follower();
    expect(story.at(1_000, changed)).toEqual(['read']);
    expect(story.at(1_010, read(ofOther(4, 2)))).toEqual([]);
    expect(story.at(2_000, changed)).toEqual(['read']);
    expect(story.at(2_010, read(ofOther(4, 2)))).toEqual([]);
    expect(story.at(4_009, due)).toEqual([]);
    expect(story.at(4_010, due)).toEqual(['write epoch 5 over 102']);
  });

  it('takes over at once from a leader that has resigned', () => {
    const story = follower();
    expect(story.at(500, changed)).toEqual(['read']);
    expect(story.at(510, read(ofOther(4, 2, true)))).toEqual(['write epoch 5 over 102']);
  });

  it('takes over under a higher epoch when the record is lost', () => {
    const story = follower();
    expect(story.at(500, changed)).toEqual(['read']);
    expect(story.at(510, read())).toEqual(['write epoch 5 over nothing']);
  });

  it('gives the leader the whole lease after the control plane was away', () => {
    const story = follower();
    story.at(60_000, { type: 'connected' });
    expect(story.at(60_010, read(ofOther(4, 1)))).toEqual([]);
    expect(story.at(62_999, due)).toEqual([]);
    expect(story.at(63_000, due)).toEqual(['write epoch 5 over 101']);
  });

  it('reads again what has changed while it was reading', () => {
    const story = follower();
    story.at(500, changed);
    expect(story.at(505, changed)).toEqual([]);
    expect(story.at(510, read(ofOther(4, 1)))).toEqual(['read']);
    expect(story.at(515, read(ofOther(4, 2, true)))).toEqual(['write epoch 5 over 102']);
  });

  it('tries again soon when a call has failed', () => {
    const story = follower();
    story.at(500, changed);
    expect(story.at(600, { type: 'failed' })).toEqual([]);
    expect(nextDueMs(story.state)).toBe(850);
    expect(story.at(850, due)).toEqual(['read']);
  });
});

describe('a leader of a lower epoch than one that was heard of', () => {
  it('is replaced at once: it was elected after the control plane had lost writes', () => {
    const story = new Story();
    story.knownEpoch = 8;
    expect(story.at(0, changed)).toEqual(['read']);
    expect(story.at(10, read(ofOther(3, 1)))).toEqual(['write epoch 9 over 101']);
    expect(story.at(20, written(2))).toEqual(['elected 9']);
  });
});
