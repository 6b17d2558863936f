import { WorkerState, type WorkerStats } from '@expertmesh/shared/gen/expertmesh/v1/worker';

/**
 * Where the session with one worker stands. `connecting` asks who is there; one that reads the same store is `up`,
 * whatever experts it holds, and a heartbeat asks in regular intervals from then on. Whatever goes wrong leads to
 * `waiting`, and from there to `connecting` again.
 */
export type SessionState =
  | { readonly phase: 'waiting' | 'connecting'; readonly numFailures: number; readonly lastError: string | undefined }
  | {
      readonly phase: 'up';
      readonly numFailures: 0;
      readonly lastError: undefined;
      readonly worker: WorkerProcess;
      readonly stats: WorkerStats;
    };

/** One run of the worker's program. */
export interface WorkerProcess {
  readonly bootId: string;
  readonly dataPort: number;
}

export type SessionEvent =
  | { readonly type: 'start' }
  /** The time of an `await-retry` or an `await-heartbeat` is over. */
  | { readonly type: 'retry-due' | 'heartbeat-due' }
  | { readonly type: 'stats'; readonly stats: WorkerStats }
  /**
   * The request under way failed, or the heartbeat had no answer in time. Reasons call the worker "it": who tells one
   * names it.
   */
  | { readonly type: 'failed'; readonly reason: string };

export type SessionAction =
  /** Opens a channel; what of an earlier one is still to come must not be heard any more. */
  | { readonly type: 'connect' }
  | { readonly type: 'disconnect' | 'get-stats' | 'await-heartbeat' }
  | { readonly type: 'await-retry'; readonly numFailures: number }
  | { readonly type: 'tell-up'; readonly worker: WorkerProcess }
  | { readonly type: 'tell-stats'; readonly stats: WorkerStats }
  | { readonly type: 'tell-down'; readonly reason: string };

export type Transition = readonly [SessionState, readonly SessionAction[]];

export const INITIAL_STATE: SessionState = { phase: 'waiting', numFailures: 0, lastError: undefined };

/** What the session does next; events that a phase does not expect change nothing. `storeId` is the coordinator's. */
export function transition(state: SessionState, event: SessionEvent, storeId: string): Transition {
  switch (event.type) {
    case 'start':
    case 'retry-due':
      return connect(state);
    case 'heartbeat-due':
      return state.phase === 'up' ? [state, [{ type: 'get-stats' }]] : [state, []];
    case 'stats':
      return receiveStats(state, event.stats, storeId);
    case 'failed':
      return fail(state, event.reason);
  }
}

const connect = ({ numFailures, lastError }: SessionState): Transition => [
  { phase: 'connecting', numFailures, lastError },
  [{ type: 'connect' }, { type: 'get-stats' }],
];

function receiveStats(state: SessionState, stats: WorkerStats, storeId: string): Transition {
  const refusal = refusalOf(stats, storeId);
  if (refusal !== undefined) return fail(state, refusal);
  const worker = { bootId: stats.bootId, dataPort: stats.dataPort };
  const news: readonly SessionAction[] = [{ type: 'await-heartbeat' }, { type: 'tell-stats', stats }];
  switch (state.phase) {
    case 'waiting':
      return [state, []];
    case 'connecting':
      return [
        { phase: 'up', numFailures: 0, lastError: undefined, worker, stats },
        [{ type: 'tell-up', worker }, ...news],
      ];
    case 'up':
      if (stats.bootId !== state.worker.bootId) return reconnect(state, 'it has been restarted');
      return [{ ...state, stats }, news];
  }
}

function refusalOf(stats: WorkerStats, storeId: string): string | undefined {
  if (stats.storeId !== storeId)
    return `it reads store ${stats.storeId}, the coordinator reads store ${storeId}: start both with the same store`;
  if (stats.state === WorkerState.WORKER_STATE_DRAINING) return 'it is draining';
  return undefined;
}

// Of a worker that was not up, each new reason is told once.
const downAction = (state: SessionState, reason: string): readonly SessionAction[] =>
  state.phase === 'up' || state.lastError !== reason ? [{ type: 'tell-down', reason }] : [];

function fail(state: SessionState, reason: string): Transition {
  const numFailures = state.numFailures + 1;
  return [
    { phase: 'waiting', numFailures, lastError: reason },
    [{ type: 'disconnect' }, ...downAction(state, reason), { type: 'await-retry', numFailures }],
  ];
}

// Another run of the program answered, so there is nothing to wait for.
function reconnect(state: SessionState, reason: string): Transition {
  const [connecting, actions] = connect({ phase: 'waiting', numFailures: 0, lastError: reason });
  return [connecting, [{ type: 'disconnect' }, ...downAction(state, reason), ...actions]];
}
