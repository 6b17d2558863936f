import { isDeepStrictEqual } from 'node:util';
import { type ControlPlane, type KeyValue, type KeyValueEntry } from '../control-plane/control-plane.js';
import { type Logger } from '../process/logger.js';
import { systemClock, type Clock } from '../rpc/clock.js';

const DEFAULT_SILENT_AFTER_MS = 5_000;
const CHECK_INTERVAL_MS = 500;

/** What every member's record has; see WorkerRecord and CoordinatorRecord. */
export interface MemberRecord {
  readonly bootId: string;
  readonly heartbeat: number;
}

export interface Member<R extends MemberRecord> {
  readonly memberId: string;
  readonly record: R;
  /** Its record has not changed for too long by this process's own clock; also a ghost that somebody left. */
  readonly isSilent: boolean;
}

export type MemberEvent<R extends MemberRecord> =
  | { readonly type: 'added'; readonly member: Member<R> }
  /** Something other than the heartbeat is different (another bootId: it was restarted), or it is no longer silent. */
  | { readonly type: 'changed'; readonly member: Member<R>; readonly previous: Member<R> }
  | { readonly type: 'silent'; readonly member: Member<R> }
  /** It has ended in good order, or it was removed. */
  | { readonly type: 'gone'; readonly memberId: string };

export interface MemberDirectoryOptions<R extends MemberRecord> {
  readonly controlPlane: Pick<ControlPlane, 'state' | 'onState'>;
  readonly bucket: KeyValue;
  /** Keys that begin with this are members, and the rest of the key is the memberId. */
  readonly keyPrefix: string;
  /** Throws for a broken record, which is then logged and passed over. */
  readonly parse: (value: Uint8Array) => R;
  readonly onEvent: (event: MemberEvent<R>) => void;
  readonly logger: Logger;
  readonly silentAfterMs?: number;
  readonly clock?: Clock;
}

interface KnownMember<R extends MemberRecord> {
  member: Member<R>;
  /** When its heartbeat was last seen to change. */
  heardMs: number;
  /** Its record was gone when the control plane came back, which may have lost its store. */
  isMissing: boolean;
}

/**
 * Who is in the cluster: the members that keep a record in the control plane. While that is away, nobody falls silent
 * and nobody goes; afterwards everybody has the whole time anew, also to write a record again that the control plane
 * has lost.
 */
export class MemberDirectory<R extends MemberRecord> {
  readonly #options: MemberDirectoryOptions<R>;
  readonly #clock: Clock;
  readonly #silentAfterMs: number;
  readonly #known = new Map<string, KnownMember<R>>();
  /** Keys whose broken records have been logged. */
  readonly #broken = new Set<string>();
  readonly #stopListening: readonly (() => void)[];
  #cancelTimer: () => void = () => undefined;
  #checkedMs: number;

  /** Begins at once; events come later, never from within the constructor. */
  constructor(options: MemberDirectoryOptions<R>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#silentAfterMs = options.silentAfterMs ?? DEFAULT_SILENT_AFTER_MS;
    this.#checkedMs = this.#clock.nowMs();
    this.#stopListening = [
      options.controlPlane.onState((state) => {
        if (state === 'connected') this.#grantGrace();
      }),
      options.bucket.watch({
        onEntry: (entry) => {
          this.#hear(entry);
        },
        onDelete: (key) => {
          this.#forget(key);
        },
      }),
    ];
    this.#checkLater();
  }

  /** In the order of their ids. */
  members(): readonly Member<R>[] {
    const members = [...this.#known.values()].map(({ member }) => member);
    return members.sort((a, b) => (a.memberId < b.memberId ? -1 : 1));
  }

  get(memberId: string): Member<R> | undefined {
    return this.#known.get(memberId)?.member;
  }

  /** Members whose heartbeat has not changed for so long by this process's own clock. */
  silentFor(ms: number): string[] {
    const nowMs = this.#clock.nowMs();
    const silent = [...this.#known.values()].filter(({ member, heardMs }) => member.isSilent && nowMs - heardMs >= ms);
    return silent.map(({ member }) => member.memberId);
  }

  close(): void {
    this.#cancelTimer();
    for (const stop of this.#stopListening) stop();
  }

  #hear({ key, value }: KeyValueEntry): void {
    const memberId = this.#memberIdOf(key);
    const record = memberId === undefined ? undefined : this.#parse(key, value);
    if (memberId === undefined || record === undefined) return;
    const heardMs = this.#clock.nowMs();
    const member = { memberId, record, isSilent: false };
    const known = this.#known.get(memberId);
    if (known === undefined) {
      this.#known.set(memberId, { member, heardMs, isMissing: false });
      this.#emit({ type: 'added', member });
      return;
    }
    const { member: previous } = known;
    known.isMissing = false;
    if (previous.record.bootId === record.bootId && previous.record.heartbeat === record.heartbeat) return;
    known.heardMs = heardMs;
    known.member = member;
    const isNews =
      previous.isSilent || !isDeepStrictEqual({ ...previous.record, heartbeat: 0 }, { ...record, heartbeat: 0 });
    if (isNews) this.#emit({ type: 'changed', member, previous });
  }

  #forget(key: string): void {
    this.#broken.delete(key);
    const memberId = this.#memberIdOf(key);
    const known = memberId === undefined ? undefined : this.#known.get(memberId);
    if (memberId === undefined || known === undefined) return;
    if (this.#options.controlPlane.state === 'away') known.isMissing = true;
    else this.#remove(memberId);
  }

  #remove(memberId: string): void {
    this.#known.delete(memberId);
    this.#emit({ type: 'gone', memberId });
  }

  #checkLater(): void {
    this.#cancelTimer = this.#clock.after(CHECK_INTERVAL_MS, () => {
      this.#checkLater();
      this.#check();
    });
  }

  #check(): void {
    const nowMs = this.#clock.nowMs();
    const lateMs = nowMs - this.#checkedMs - CHECK_INTERVAL_MS;
    this.#checkedMs = nowMs;
    // This process itself has stood still, and what it has not heard for that time says nothing.
    if (lateMs > CHECK_INTERVAL_MS) for (const known of this.#known.values()) known.heardMs += lateMs;
    if (this.#options.controlPlane.state === 'away') return;
    for (const known of [...this.#known.values()]) {
      if (nowMs - known.heardMs < this.#silentAfterMs) continue;
      if (known.isMissing) this.#remove(known.member.memberId);
      else if (!known.member.isSilent) this.#fallSilent(known);
    }
  }

  #fallSilent(known: KnownMember<R>): void {
    known.member = { ...known.member, isSilent: true };
    this.#emit({ type: 'silent', member: known.member });
  }

  #grantGrace(): void {
    const nowMs = this.#clock.nowMs();
    for (const known of this.#known.values()) if (!known.member.isSilent) known.heardMs = nowMs;
  }

  #memberIdOf(key: string): string | undefined {
    const { keyPrefix } = this.#options;
    return key.startsWith(keyPrefix) ? key.slice(keyPrefix.length) : undefined;
  }

  #parse(key: string, value: Uint8Array): R | undefined {
    try {
      const record = this.#options.parse(value);
      this.#broken.delete(key);
      return record;
    } catch (error) {
      if (!this.#broken.has(key)) this.#options.logger.warn({ err: error, key }, 'a broken record is passed over');
      this.#broken.add(key);
      return undefined;
    }
  }

  #emit(event: MemberEvent<R>): void {
    try {
      this.#options.onEvent(event);
    } catch (error) {
      this.#options.logger.error({ err: error }, 'a listener to the members has failed');
    }
  }
}
