import { type LoadProgress, WorkerState, type WorkerStats } from '@expertmesh/shared/gen/expertmesh/v1/worker';

/**
 * Where the session with one worker stands. `connecting` asks who is there; then the worker is given its experts (`assigning`),
 * loads them, and is `up`; whatever goes wrong leads to `waiting`, and from there to `connecting` again. From `assigning`
 * on, a heartbeat asks in regular intervals.
 */
export type SessionState =
  | { readonly phase: 'waiting' | 'connecting'; readonly numFailures: number; readonly lastError: string | undefined }
  | {
      readonly phase: 'assigning' | 'loading' | 'up';
      /** Since the session was last up. */
      readonly numFailures: number;
      readonly lastError: string | undefined;
      readonly worker: WorkerProcess;
      readonly progress: LoadProgress | undefined;
    };

/** One run of the worker's program. */
export interface WorkerProcess {
  readonly bootId: string;
  readonly dataPort: number;
}

/** What the session expects of the worker, which reasons call "it": who tells a reason names the worker. */
export interface SessionTerms {
  readonly storeId: string;
  readonly placementVersion: number;
}

export type SessionEvent =
  | { readonly type: 'start' }
  /** The time of an `await-retry` or an `await-heartbeat` is over. */
  | { readonly type: 'retry-due' | 'heartbeat-due' }
  | { readonly type: 'stats'; readonly stats: WorkerStats }
  | { readonly type: 'assigned' | 'loaded' }
  | { readonly type: 'progress'; readonly progress: LoadProgress }
  /** The request under way failed, or the heartbeat had no answer in time. */
  | { readonly type: 'failed'; readonly reason: string };

export type SessionAction =
  /** Opens a channel; what of an earlier one is still to come must not be heard any more. */
  | { readonly type: 'connect' }
  | { readonly type: 'disconnect' }
  | { readonly type: 'get-stats' | 'assign' | 'load' }
  | { readonly type: 'await-heartbeat' }
  | { readonly type: 'await-retry'; readonly numFailures: number }
  | { readonly type: 'tell-up'; readonly worker: WorkerProcess }
  | { readonly type: 'tell-down'; readonly reason: string }
  | { readonly type: 'tell-progress'; readonly progress: LoadProgress };

export type Transition = readonly [SessionState, readonly SessionAction[]];

export const INITIAL_STATE: SessionState = { phase: 'waiting', numFailures: 0, lastError: undefined };

/** What the session does next; events that a phase does not expect change nothing. */
export function transition(state: SessionState, event: SessionEvent, terms: SessionTerms): Transition {
  switch (event.type) {
    case 'start':
    case 'retry-due':
      return connect(state);
    case 'heartbeat-due':
      return [state, [{ type: 'get-stats' }]];
    case 'stats':
      return receiveStats(state, event.stats, terms);
    case 'assigned':
      return state.phase === 'assigning' ? [{ ...state, phase: 'loading' }, [{ type: 'load' }]] : [state, []];
    case 'progress':
      if (state.phase !== 'loading') return [state, []];
      return [{ ...state, progress: event.progress }, [{ type: 'tell-progress', progress: event.progress }]];
    case 'loaded':
      if (state.phase !== 'loading') return [state, []];
      return [
        { ...state, phase: 'up', numFailures: 0, lastError: undefined },
        [{ type: 'tell-up', worker: state.worker }],
      ];
    case 'failed':
      return fail(state, event.reason);
  }
}

const connect = ({ numFailures, lastError }: SessionState): Transition => [
  { phase: 'connecting', numFailures, lastError },
  [{ type: 'connect' }, { type: 'get-stats' }],
];

function receiveStats(state: SessionState, stats: WorkerStats, terms: SessionTerms): Transition {
  const refusal = refusalOf(stats, terms);
  if (refusal !== undefined) return fail(state, refusal);
  switch (state.phase) {
    case 'waiting':
      return [state, []];
    case 'connecting': {
      const worker = { bootId: stats.bootId, dataPort: stats.dataPort };
      return [
        { ...state, phase: 'assigning', worker, progress: undefined },
        [{ type: 'await-heartbeat' }, { type: 'assign' }],
      ];
    }
    case 'assigning':
    case 'loading':
    case 'up':
      if (stats.bootId !== state.worker.bootId) return reconnect(state, 'it has been restarted');
      if (state.phase === 'up' && !serves(stats, terms))
        return fail(state, `it no longer serves placement version ${String(terms.placementVersion)}`);
      return [state, [{ type: 'await-heartbeat' }]];
  }
}

function refusalOf(stats: WorkerStats, { storeId }: SessionTerms): string | undefined {
  if (stats.storeId !== storeId)
    return `it reads store ${stats.storeId}, the coordinator reads store ${storeId}: start both with the same store`;
  if (stats.state === WorkerState.WORKER_STATE_DRAINING) return 'it is draining';
  return undefined;
}

// While it loads something else it goes on serving what it has.
const serves = (stats: WorkerStats, { placementVersion }: SessionTerms): boolean =>
  stats.state === WorkerState.WORKER_STATE_LOADING ||
  (stats.state === WorkerState.WORKER_STATE_SERVING && stats.placementVersion === placementVersion);

// A worker that was up, or that was said to be loading, is down now; of any other, each new reason is told once.
function downAction(state: SessionState, reason: string): readonly SessionAction[] {
  const wasToldOtherwise = state.phase === 'up' || ('progress' in state && state.progress !== undefined);
  return wasToldOtherwise || state.lastError !== reason ? [{ type: 'tell-down', reason }] : [];
}

function fail(state: SessionState, reason: string): Transition {
  const numFailures = state.numFailures + 1;
  return [
    { phase: 'waiting', numFailures, lastError: reason },
    [{ type: 'disconnect' }, ...downAction(state, reason), { type: 'await-retry', numFailures }],
  ];
}

// Another run of the program answered, so there is nothing to wait for.
function reconnect(state: SessionState, reason: string): Transition {
  const [connecting, actions] = connect({ ...state, phase: 'waiting', lastError: reason });
  return [connecting, [{ type: 'disconnect' }, ...downAction(state, reason), ...actions]];
}
