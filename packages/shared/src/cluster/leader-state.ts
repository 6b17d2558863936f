import { type LeaderRecord } from './member-record.js';

/** How often the leader renews its record. */
export const RENEWAL_INTERVAL_MS = 1_000;
/** Without a renewal for so long the leader stops acting. */
export const TENURE_MS = 2_500;
/**
 * Others take over when the record has not changed for so long by their own clock. More than TENURE_MS: there are never
 * two who act.
 */
export const LEASE_MS = 3_000;
/** From a call that failed to the next. */
const RETRY_DELAY_MS = 250;

/** The leader's record as it was read; `record` is undefined where it makes no sense to this program. */
export interface LeaderEntry {
  readonly revision: number;
  readonly record: LeaderRecord | undefined;
}

/** Calls to the control plane, one at a time. */
export type LeaderCall =
  | { readonly type: 'read' }
  /** Compare-and-set against `revision`, or that there is no record. */
  | { readonly type: 'write'; readonly record: LeaderRecord; readonly revision: number | undefined };

export type LeaderEvent =
  /** The control plane is connected (again). */
  | { readonly type: 'connected' }
  /** Time has passed, the record has changed, or a higher epoch is known. */
  | { readonly type: 'due'; readonly isStale: boolean }
  | { readonly type: 'read'; readonly entry: LeaderEntry | undefined }
  | { readonly type: 'written'; readonly revision: number }
  /** Somebody else has written. */
  | { readonly type: 'refused' }
  /** No answer; a write may have happened all the same. */
  | { readonly type: 'failed' };

export type LeaderAction =
  | { readonly type: 'call'; readonly call: LeaderCall }
  | { readonly type: 'elected'; readonly epoch: number }
  | { readonly type: 'deposed'; readonly reason: string };

export interface LeaderState {
  readonly self: { readonly coordinatorId: string; readonly bootId: string };
  /** What was read or written last, and since when it has been like that; undefined before the first time. */
  readonly seen: { readonly entry: LeaderEntry | undefined; readonly sinceMs: number } | undefined;
  /** Something has happened since the last read was sent: `seen` may not be what is there now. */
  readonly isStale: boolean;
  /** While this process leads. */
  readonly office: { readonly epoch: number; readonly renewedMs: number } | undefined;
  /** The call under way. */
  readonly pending: { readonly call: LeaderCall; readonly sentMs: number } | undefined;
  readonly retryAtMs: number;
  readonly highestEpoch: number;
  readonly renewal: number;
}

export interface LeaderTerms {
  /** By the process's monotonic clock. */
  readonly nowMs: number;
  /** The highest epoch heard of elsewhere. */
  readonly knownEpoch: number;
  /** The lowest epoch above this one that no other process leads under. */
  readonly nextEpoch: (known: number) => number;
}

export type LeaderTransition = readonly [LeaderState, readonly LeaderAction[]];

export function initialLeaderState(self: LeaderState['self']): LeaderState {
  return {
    self,
    seen: undefined,
    isStale: true,
    office: undefined,
    pending: undefined,
    retryAtMs: 0,
    highestEpoch: 0,
    renewal: 0,
  };
}

/**
 * What follows from an event: what it says itself, whether the office is lost, and the next call if none is under way.
 */
export function transition(state: LeaderState, event: LeaderEvent, terms: LeaderTerms): LeaderTransition {
  const [heard, elections] = hear(state, event, terms);
  const [kept, losses] = expire(heard, terms);
  const [next, calls] = proceed(kept, terms);
  return [next, [...elections, ...losses, ...calls]];
}

/** When `due` should come if nothing happens before; undefined while an answer alone decides. */
export function nextDueMs({ office, pending, seen, isStale, retryAtMs }: LeaderState): number | undefined {
  const tenureEndMs = office === undefined ? Infinity : office.renewedMs + TENURE_MS;
  let callMs = Infinity;
  if (pending === undefined) {
    if (isStale || seen === undefined) callMs = retryAtMs;
    else callMs = office === undefined ? seen.sinceMs + LEASE_MS : office.renewedMs + RENEWAL_INTERVAL_MS;
  }
  const dueMs = Math.min(tenureEndMs, Math.max(callMs, retryAtMs));
  return dueMs === Infinity ? undefined : dueMs;
}

function hear(state: LeaderState, event: LeaderEvent, terms: LeaderTerms): LeaderTransition {
  const { nowMs } = terms;
  switch (event.type) {
    case 'connected': {
      // While the control plane was away, the leader could not renew: it has the whole lease from now on.
      const seen = state.seen && { ...state.seen, sinceMs: nowMs };
      return [{ ...state, seen, isStale: true, retryAtMs: nowMs }, []];
    }
    case 'due':
      return [{ ...state, isStale: state.isStale || event.isStale }, []];
    case 'read':
      return hearRead(state, event.entry, nowMs);
    case 'written':
      return hearWritten(state, event.revision, nowMs);
    case 'refused':
      return [{ ...state, pending: undefined, isStale: true }, []];
    case 'failed':
      return [{ ...state, pending: undefined, isStale: true, retryAtMs: nowMs + RETRY_DELAY_MS }, []];
  }
}

function hearRead(state: LeaderState, entry: LeaderEntry | undefined, nowMs: number): LeaderTransition {
  const sinceMs = state.seen !== undefined && isSameEntry(state.seen.entry, entry) ? state.seen.sinceMs : nowMs;
  const next: LeaderState = {
    ...state,
    seen: { entry, sinceMs },
    pending: undefined,
    highestEpoch: Math.max(state.highestEpoch, entry?.record?.epoch ?? 0),
  };
  // A record that is gone was lost with the server's store: the next renewal makes it again, unless somebody else is
  // quicker.
  if (state.office === undefined || entry === undefined) return [next, []];
  const { record } = entry;
  if (isOwn(state, record) && record?.epoch === state.office.epoch) return [next, []];
  const other = record === undefined ? 'somebody of another release' : record.coordinatorId;
  return depose(next, `${other} leads under epoch ${String(record?.epoch ?? '?')}`);
}

function hearWritten(state: LeaderState, revision: number, nowMs: number): LeaderTransition {
  const { pending, office } = state;
  if (pending?.call.type !== 'write') return [state, []];
  const { record } = pending.call;
  const next: LeaderState = {
    ...state,
    seen: { entry: { revision, record }, sinceMs: nowMs },
    pending: undefined,
    highestEpoch: Math.max(state.highestEpoch, record.epoch),
  };
  const isClaim = record.epoch > state.highestEpoch;
  const isLate = nowMs - pending.sentMs >= TENURE_MS;
  if ((office === undefined && !isClaim) || isLate) return [next, []];
  const renewed: LeaderState = { ...next, office: { epoch: record.epoch, renewedMs: pending.sentMs } };
  return [renewed, isClaim ? [{ type: 'elected', epoch: record.epoch }] : []];
}

function expire(state: LeaderState, { nowMs }: LeaderTerms): LeaderTransition {
  if (state.office === undefined || nowMs - state.office.renewedMs < TENURE_MS) return [state, []];
  return depose(state, `the leader's record could not be renewed for ${String(TENURE_MS)} ms`);
}

function proceed(state: LeaderState, terms: LeaderTerms): LeaderTransition {
  const { nowMs, knownEpoch } = terms;
  const { office, pending, seen, retryAtMs } = state;
  if (pending !== undefined || nowMs < retryAtMs) return [state, []];
  if (state.isStale || seen === undefined) return call({ ...state, isStale: false }, { type: 'read' }, nowMs);
  if (office === undefined) return isVacant(state, terms) ? claim(state, terms) : [state, []];
  if (knownEpoch > office.epoch) {
    const [deposed, losses] = depose(state, `epoch ${String(knownEpoch)} is known to the cluster already`);
    const [next, calls] = claim(deposed, terms);
    return [next, [...losses, ...calls]];
  }
  const isDue = seen.entry === undefined || nowMs - office.renewedMs >= RENEWAL_INTERVAL_MS;
  return isDue ? write(state, office.epoch, nowMs) : [state, []];
}

/**
 * Nobody leads, or the one who did has not been heard of for the whole lease, or it was this process itself. Whoever
 * leads under an epoch that is lower than one that was heard of was elected after the control plane had lost writes,
 * and knows less than this process: workers and other coordinators would not follow it.
 */
function isVacant(state: LeaderState, { nowMs, knownEpoch }: LeaderTerms): boolean {
  const { seen } = state;
  if (seen?.entry === undefined) return true;
  const { record } = seen.entry;
  const isOutdated = record !== undefined && record.epoch < Math.max(state.highestEpoch, knownEpoch);
  return isOutdated || record?.hasResigned === true || isOwn(state, record) || nowMs - seen.sinceMs >= LEASE_MS;
}

const claim = (state: LeaderState, { nowMs, knownEpoch, nextEpoch }: LeaderTerms): LeaderTransition =>
  write(state, nextEpoch(Math.max(state.highestEpoch, knownEpoch)), nowMs);

function write(state: LeaderState, epoch: number, nowMs: number): LeaderTransition {
  const renewal = state.renewal + 1;
  const record: LeaderRecord = { formatVersion: 1, ...state.self, epoch, renewal, hasResigned: false };
  return call({ ...state, renewal }, { type: 'write', record, revision: state.seen?.entry?.revision }, nowMs);
}

const call = (state: LeaderState, pending: LeaderCall, nowMs: number): LeaderTransition => [
  { ...state, pending: { call: pending, sentMs: nowMs } },
  [{ type: 'call', call: pending }],
];

const depose = (state: LeaderState, reason: string): LeaderTransition => [
  { ...state, office: undefined },
  [{ type: 'deposed', reason }],
];

const isOwn = ({ self }: LeaderState, record: LeaderRecord | undefined): boolean =>
  record?.coordinatorId === self.coordinatorId && record.bootId === self.bootId;

// The server may give a revision again after a crash in which it lost writes.
const isSameEntry = (a: LeaderEntry | undefined, b: LeaderEntry | undefined): boolean =>
  a?.revision === b?.revision && a?.record?.bootId === b?.record?.bootId && a?.record?.renewal === b?.record?.renewal;
