import { WorkerState, WorkerStats } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { describe, expect, it } from 'vitest';
import {
  INITIAL_STATE,
  type SessionAction,
  type SessionEvent,
  type SessionState,
  transition,
} from './session-state.js';

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
const failed = (reason: string): SessionEvent => ({ type: 'failed', reason });

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
    const [next, actions] = transition(state, event, 'store-1');
    state = next;
    return `${event.type} -> ${[...actions.map(brief), state.phase].join(', ')}`;
  });
}

describe('a worker session', () => {
  it('asks who is there, is up whatever the worker holds, and asks again in intervals', () => {
    expect(transcript([{ type: 'start' }, stats(), { type: 'heartbeat-due' }, stats()])).toEqual([
      'start -> connect, get-stats, connecting',
      'stats -> tell-up boot-1, await-heartbeat, tell-stats, up',
      'heartbeat-due -> get-stats, up',
      'stats -> await-heartbeat, tell-stats, up',
    ]);
  });

  it('refuses a worker with another store, and tries again', () => {
    expect(transcript([{ type: 'start' }, stats({ storeId: 'store-2' })]).at(-1)).toBe(
      'stats -> disconnect, tell-down: it reads store store-2, the coordinator reads store store-1: ' +
        'start both with the same store, await-retry 1, waiting',
    );
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
      'stats -> tell-up boot-1, await-heartbeat, tell-stats, up',
      'failed -> disconnect, tell-down: no answer, await-retry 1, waiting',
    ]);
  });

  it('goes down and connects again at once when another process answers', () => {
    const restarted = stats({ bootId: 'boot-2' });
    expect(transcript([{ type: 'start' }, stats(), restarted, restarted]).slice(-2)).toEqual([
      'stats -> disconnect, tell-down: it has been restarted, connect, get-stats, connecting',
      'stats -> tell-up boot-2, await-heartbeat, tell-stats, up',
    ]);
  });

  it('goes down when the worker drains', () => {
    const draining = stats({ state: WorkerState.WORKER_STATE_DRAINING });
    expect(transcript([{ type: 'start' }, stats(), draining]).at(-1)).toContain('tell-down: it is draining');
  });

  it('hears no heartbeat and no stats while it waits', () => {
    expect(transcript([{ type: 'start' }, failed('away'), { type: 'heartbeat-due' }, stats()]).slice(-2)).toEqual([
      'heartbeat-due -> waiting',
      'stats -> waiting',
    ]);
  });
});
