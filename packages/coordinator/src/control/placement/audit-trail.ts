import { AUDIT_KEY_PREFIX } from '@expertmesh/shared/cluster/cluster-keys';
import { type KeyValue } from '@expertmesh/shared/control-plane/control-plane';
import { AuditRecord } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type StateDirectory } from './state-directory.js';

/** Records that are kept; the oldest ones go. */
const MAX_RECORDS = 200;
const MAX_ATTEMPTS = 8;

/** Who changed what: numbered records, one key each. */
export class AuditTrail {
  readonly #bucket: KeyValue;
  readonly #disk: Pick<StateDirectory, 'write' | 'delete'>;
  readonly #records = new Map<number, AuditRecord>();

  constructor(bucket: KeyValue, disk: Pick<StateDirectory, 'write' | 'delete'>) {
    this.#bucket = bucket;
    this.#disk = disk;
  }

  newest(limit: number): AuditRecord[] {
    const numbers = [...this.#records.keys()].sort((a, b) => b - a).slice(0, limit);
    return numbers.flatMap((number) => this.#records.get(number) ?? []);
  }

  /** Notes a record that is there. @returns false: nothing depends on it. */
  take(key: string, value: Uint8Array): false {
    const number = Number(key.slice(AUDIT_KEY_PREFIX.length));
    if (!Number.isInteger(number) || number < this.#next - MAX_RECORDS) return false;
    this.#records.set(number, AuditRecord.create(JSON.parse(new TextDecoder().decode(value)) as AuditRecord));
    this.#disk.write(key, value);
    return false;
  }

  /** Errors of the control plane; the record is kept here and on disk all the same. */
  async add(record: AuditRecord): Promise<void> {
    const value = new TextEncoder().encode(JSON.stringify(record));
    const wished = this.#next;
    this.take(auditKey(wished), value);
    let number = wished;
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++, number++)
      if ((await this.#bucket.create(auditKey(number), value)) !== undefined) break;
    await this.#forget(wished - MAX_RECORDS);
  }

  async #forget(number: number): Promise<void> {
    if (!this.#records.delete(number)) return;
    this.#disk.delete(auditKey(number));
    await this.#bucket.delete(auditKey(number));
  }

  get #next(): number {
    return 1 + Math.max(0, ...this.#records.keys());
  }
}

const auditKey = (number: number): string => AUDIT_KEY_PREFIX + String(number);
