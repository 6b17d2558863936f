import { isDeepStrictEqual } from 'node:util';
import { AUDIT_KEY_PREFIX } from '@expertmesh/shared/cluster/cluster-keys';
import { type KeyValue } from '@expertmesh/shared/control-plane/control-plane';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { AuditRecord } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type StateDirectory } from './state-directory.js';

/** Records that are kept; the oldest ones go. */
const MAX_RECORDS = 200;
/**
 * Longer texts are cut: what a record says may come from anywhere, and one that is too large for the control plane
 * would never get there.
 */
const MAX_TEXT_CHARACTERS = 2_000;
/** Numbers that others may take before this one gives up for now. */
const MAX_REFUSALS = 8;

/**
 * Who changed what: numbered records, one key each, which never change. A record whose number another one has gets a
 * new number.
 */
export class AuditTrail {
  readonly #bucket: KeyValue;
  readonly #disk: Pick<StateDirectory, 'write' | 'delete'>;
  readonly #records = new Map<number, AuditRecord>();
  /** Numbers that the control plane has. */
  readonly #published = new Set<number>();

  constructor(bucket: KeyValue, disk: Pick<StateDirectory, 'write' | 'delete'>) {
    this.#bucket = bucket;
    this.#disk = disk;
  }

  newest(limit: number): AuditRecord[] {
    const newestFirst = [...this.#records].sort(([a, { timeMs }], [b, other]) => other.timeMs - timeMs || b - a);
    return newestFirst.slice(0, limit).map(([, record]) => record);
  }

  /** Takes in what is on disk. */
  restore(key: string, value: Uint8Array): void {
    const [number, record] = [numberOf(key), decode(value)];
    if (number !== undefined && record !== undefined) this.#put(number, record);
  }

  /** Takes in what the control plane has. */
  hear(key: string, value: Uint8Array): void {
    const [number, record] = [numberOf(key), decode(value)];
    if (number === undefined) return;
    const own = this.#records.get(number);
    this.#published.add(number);
    if (own !== undefined && !isDeepStrictEqual(own, record)) {
      this.#drop(number);
      this.add(own);
    }
    if (record === undefined) return;
    this.#put(number, record);
    // Somebody else may have given it this new number.
    for (const [other, known] of this.#records)
      if (!this.#published.has(other) && isDeepStrictEqual(known, record)) this.#drop(other);
  }

  /** The control plane has it no longer. */
  forget(key: string): void {
    this.#published.delete(numberOf(key) ?? 0);
  }

  /** Here and on disk; `publish` tells others. */
  add(record: AuditRecord): void {
    this.#put(1 + Math.max(0, ...this.#records.keys(), ...this.#published), bounded(record));
  }

  /**
   * Gives the control plane what it lacks. Errors of the control plane; `unavailable` when others take one number after
   * the other.
   */
  async publish(): Promise<void> {
    let numRefusals = 0;
    for (let next = this.#unpublished(); next !== undefined; next = this.#unpublished()) {
      const [number, record] = next;
      if ((await this.#bucket.create(keyOf(number), encode(record))) !== undefined) {
        this.#published.add(number);
        continue;
      }
      numRefusals += 1;
      if (numRefusals > MAX_REFUSALS)
        throw new ExpertmeshError('unavailable', 'other coordinators keep writing audit records: try again');
      const found = await this.#bucket.get(keyOf(number));
      if (found !== undefined) this.hear(keyOf(number), found.value);
    }
  }

  /** Takes what is kept no longer out of the control plane. Errors of the control plane. */
  async prune(): Promise<void> {
    for (const number of [...this.#published].filter((known) => !this.#records.has(known))) {
      await this.#bucket.delete(keyOf(number));
      this.#published.delete(number);
    }
  }

  #unpublished(): [number, AuditRecord] | undefined {
    return [...this.#records].find(([number]) => !this.#published.has(number));
  }

  #put(number: number, record: AuditRecord): void {
    this.#records.set(number, record);
    this.#disk.write(keyOf(number), encode(record));
    if (this.#records.size > MAX_RECORDS) this.#drop(Math.min(...this.#records.keys()));
  }

  #drop(number: number): void {
    this.#records.delete(number);
    this.#disk.delete(keyOf(number));
  }
}

const keyOf = (number: number): string => AUDIT_KEY_PREFIX + String(number);

function numberOf(key: string): number | undefined {
  const number = Number(key.slice(AUDIT_KEY_PREFIX.length));
  return Number.isSafeInteger(number) && number > 0 ? number : undefined;
}

const encode = (record: AuditRecord): Uint8Array => new TextEncoder().encode(JSON.stringify(record));

/** undefined for what is no audit record. */
function decode(value: Uint8Array): AuditRecord | undefined {
  try {
    return bounded(AuditRecord.create(JSON.parse(new TextDecoder().decode(value)) as AuditRecord));
  } catch {
    return undefined;
  }
}

const bounded = ({ timeMs, actor, action, before, after, outcome }: AuditRecord): AuditRecord => ({
  timeMs,
  actor: cut(actor),
  action: cut(action),
  before: cut(before),
  after: cut(after),
  outcome: cut(outcome),
});

const cut = (text: string): string =>
  text.length <= MAX_TEXT_CHARACTERS ? text : `${text.slice(0, MAX_TEXT_CHARACTERS - 1)}…`;
