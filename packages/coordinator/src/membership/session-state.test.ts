import { LoadProgress, WorkerState, WorkerStats } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { describe, expect, it } from 'vitest';
import {
  INITIAL_STATE,
  type SessionAction,
  type SessionEvent,
  type SessionState,
  type SessionTerms,
  transition,
} from './session-state.js';

const terms: SessionTerms = { storeId: 'store-1', placementVersion: 1 };

const stats = (changed: Partial<WorkerStats> = {}): SessionEvent => ({
  type: 'stats',
  stats: WorkerStats.create({
    bootId: 'boot-1',
    storeId: 'store-1',
    state: WorkerState.WORKER_STATE_IDLE,
    dataPort: 9100,
    ...changed,
  }),
});
const serving = { state: WorkerState.WORKER_STATE_SERVING, placementVersion: 1 };
const progress: SessionEvent = { type: 'progress', progress: LoadProgress.create({ loadedBytes: 5, totalBytes: 10 }) };
const failed = (reason: string): SessionEvent => ({ type: 'failed', reason });
const untilUp: SessionEvent[] = [{ type: 'start' }, stats(), { type: 'assigned' }, { type: 'loaded' }];

/** Short form of an action: its type and what distinguishes it. */
function brief(action: SessionAction): string {
  if (action.type === 'tell-down') return `tell-down: ${action.reason}`;
  if (action.type === 'tell-up') return `tell-up ${action.worker.bootId}`;
  if (action.type === 'await-retry') return `await-retry ${String(action.numFailures)}`;
  return action.type;
}

/** What the session does for each event, and its phase afterwards. */
function transcript(events: readonly SessionEvent[]): string[] {
  let state: SessionState = INITIAL_STATE;
  return events.map((event) => {
    const [next, actions] = transition(state, event, terms);
    state = next;
    return `${event.type} -> ${[...actions.map(brief), state.phase].join(', ')}`;
  });
}

const lastOf = (events: readonly SessionEvent[]): string | undefined => transcript(events).at(-1);

describe('a worker session', () => {
  it('asks who is there, assigns, loads, and then is up; heartbeats go on all the time', () => {
    expect(
      transcript([
        { type: 'start' },
        stats(),
        { type: 'assigned' },
        progress,
        { type: 'heartbeat-due' },
        stats({ state: WorkerState.WORKER_STATE_LOADING }),
        { type: 'loaded' },
        { type: 'heartbeat-due' },
        stats(serving),
      ]),
    ).toEqual([
      'start -> connect, get-stats, connecting',
      'stats -> await-heartbeat, assign, assigning',
      'assigned -> load, loading',
      'progress -> tell-progress, loading',
      'heartbeat-due -> get-stats, loading',
      'stats -> await-heartbeat, loading',
      'loaded -> tell-up boot-1, up',
      'heartbeat-due -> get-stats, up',
      'stats -> await-heartbeat, up',
    ]);
  });

  it('refuses a worker with another store, and tries again', () => {
    expect(transcript([{ type: 'start' }, stats({ storeId: 'store-2' })])).toEqual([
      'start -> connect, get-stats, connecting',
      'stats -> disconnect, tell-down: it reads store store-2, the coordinator reads store store-1: start both with the same store, await-retry 1, waiting',
    ]);
  });

  it('waits longer after every failure, tells each reason once, and starts afresh after it was up', () => {
    expect(
      transcript([
        { type: 'start' },
        failed('refused'),
        { type: 'retry-due' },
        failed('refused'),
        { type: 'retry-due' },
        failed('no answer'),
        { type: 'retry-due' },
        stats(),
        { type: 'assigned' },
        { type: 'loaded' },
        failed('no answer'),
      ]),
    ).toEqual([
      'start -> connect, get-stats, connecting',
      'failed -> disconnect, tell-down: refused, await-retry 1, waiting',
      'retry-due -> connect, get-stats, connecting',
      'failed -> disconnect, await-retry 2, waiting',
      'retry-due -> connect, get-stats, connecting',
      'failed -> disconnect, tell-down: no answer, await-retry 3, waiting',
      'retry-due -> connect, get-stats, connecting',
      'stats -> await-heartbeat, assign, assigning',
      'assigned -> load, loading',
      'loaded -> tell-up boot-1, up',
      'failed -> disconnect, tell-down: no answer, await-retry 1, waiting',
    ]);
  });

  it('tells the reason again when loading has been told since', () => {
    const loadUntilFailure: SessionEvent[] = [stats(), { type: 'assigned' }, progress, failed('a blob is damaged')];
    expect(lastOf([{ type: 'start' }, ...loadUntilFailure, { type: 'retry-due' }, ...loadUntilFailure])).toBe(
      'failed -> disconnect, tell-down: a blob is damaged, await-retry 2, waiting',
    );
  });

  it.each<[string, SessionEvent[]]>([
    ['assigning', [{ type: 'start' }, stats()]],
    ['loading', [{ type: 'start' }, stats(), { type: 'assigned' }]],
    ['up', untilUp],
  ])('goes down when a request or heartbeat fails while %s', (_, events) => {
    expect(lastOf([...events, failed('away')])).toBe('failed -> disconnect, tell-down: away, await-retry 1, waiting');
  });

  it('goes down and assigns again at once when another process answers', () => {
    expect(transcript([...untilUp, stats({ bootId: 'boot-2' }), stats({ bootId: 'boot-2' })]).slice(-2)).toEqual([
      'stats -> disconnect, tell-down: it has been restarted, connect, get-stats, connecting',
      'stats -> await-heartbeat, assign, assigning',
    ]);
  });

  it.each<[string, Partial<WorkerStats>]>([
    ['holds nothing any more', { state: WorkerState.WORKER_STATE_IDLE }],
    ['serves another placement', { state: WorkerState.WORKER_STATE_SERVING, placementVersion: 2 }],
  ])('goes down when the worker %s', (_, changed) => {
    expect(lastOf([...untilUp, stats(changed)])).toBe(
      'stats -> disconnect, tell-down: it no longer serves placement version 1, await-retry 1, waiting',
    );
  });

  it('goes down when the worker drains', () => {
    expect(lastOf([...untilUp, stats({ ...serving, state: WorkerState.WORKER_STATE_DRAINING })])).toContain(
      'tell-down: it is draining',
    );
  });

  it('stays up while the worker loads something for another coordinator', () => {
    const loading = stats({ state: WorkerState.WORKER_STATE_LOADING, placementVersion: 1 });
    expect(lastOf([...untilUp, loading])).toBe('stats -> await-heartbeat, up');
  });
});
