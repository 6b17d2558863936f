import {
  ADMISSIONS_KEY,
  AUDIT_KEY_PREFIX,
  DOCUMENT_KEY_PREFIX,
  documentKey,
  IN_FORCE_KEY,
} from '@expertmesh/shared/cluster/cluster-keys';
import {
  encodePlacementDocument,
  encodePlacementInForce,
  encodeWorkerAdmissions,
  parsePlacementDocument,
  parsePlacementInForce,
  parseWorkerAdmissions,
  type PlacementDocument,
  type PlacementInForce,
  type WorkerAdmissions,
} from '@expertmesh/shared/cluster/placement-document';
import { type KeyValue } from '@expertmesh/shared/control-plane/control-plane';
import { type AuditRecord } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type Logger } from '@expertmesh/shared/process/logger';
import { AuditTrail } from './audit-trail.js';
import { FencedBucket } from './fenced-bucket.js';
import { routingPlacement } from './routing.js';
import { type StateDirectory } from './state-directory.js';

export interface PlacementStoreOptions {
  readonly bucket: KeyValue;
  readonly storeId: string;
  /** What the last process of this coordinator knew, and where this one leaves what it knows. */
  readonly stateDirectory: Pick<StateDirectory, 'read' | 'write' | 'delete'>;
  /** Whether what was remembered on disk may be served. */
  readonly isUsable: (placement: Placement) => boolean;
  readonly logger: Logger;
  /** What is in force, a document or an admission has changed. */
  readonly onChange: () => void;
}

/** Documents that are kept; older ones are forgotten, on disk too. */
const MAX_DOCUMENTS = 50;
const NO_ADMISSIONS: WorkerAdmissions = { formatVersion: 1, epoch: 0, workers: {}, untilRestart: {} };

/**
 * What this coordinator knows of placements, whether the control plane is there or not. Whoever leads writes; the control plane tells all
 * others. What vanishes from the control plane is not forgotten here: the leader puts it back.
 */
export class PlacementStore {
  readonly #options: PlacementStoreOptions;
  readonly #bucket: FencedBucket;
  readonly #documents = new Map<number, PlacementDocument>();
  readonly #audit: AuditTrail;
  readonly #stopWatching: () => void;
  #inForce: PlacementInForce | undefined;
  #routing: Placement | undefined;
  #admissions = NO_ADMISSIONS;
  #isCurrent = false;

  constructor(options: PlacementStoreOptions) {
    const { bucket, stateDirectory } = options;
    this.#options = options;
    this.#bucket = new FencedBucket(bucket);
    this.#audit = new AuditTrail(bucket, stateDirectory);
    for (const [key, value] of stateDirectory.read()) this.#take(key, value);
    if (this.#routing !== undefined && !options.isUsable(this.#routing)) this.#inForce = this.#routing = undefined;
    this.#stopWatching = bucket.watch({
      onEntry: ({ key, value, revision }) => {
        if (this.#bucket.hear(key, revision) && this.#take(key, value)) options.onChange();
      },
      onDelete: (key) => {
        this.#bucket.forget(key);
        options.onChange();
      },
      onCurrent: () => {
        this.#isCurrent = true;
        options.onChange();
      },
    });
  }

  /** Whether the control plane has told what it has; before that, what is known is from disk. */
  get isCurrent(): boolean {
    return this.#isCurrent;
  }

  /** undefined before the first placement for this store of experts. */
  get inForce(): PlacementInForce | undefined {
    return this.#inForce !== undefined && this.placement(this.#inForce.version) !== undefined
      ? this.#inForce
      : undefined;
  }

  get admissions(): WorkerAdmissions {
    return this.#admissions;
  }

  /** What calls are routed by; the same value until that changes. */
  get routing(): Placement | undefined {
    return this.#routing;
  }

  document(version: number): PlacementDocument | undefined {
    return this.#documents.get(version);
  }

  placement(version: number): Placement | undefined {
    return this.#documents.get(version)?.placement;
  }

  /** Newest first. */
  history(limit: number): PlacementDocument[] {
    return [...this.#documents.values()].sort(byVersion).slice(0, limit);
  }

  audit(limit: number): AuditRecord[] {
    return this.#audit.newest(limit);
  }

  /** Greater than that of every placement that was ever heard of. */
  get nextVersion(): number {
    const { version = 0, change } = this.#inForce ?? {};
    return 1 + Math.max(version, change?.toVersion ?? 0, ...this.#documents.keys());
  }

  /** Of all that was ever heard of. */
  get highestEpoch(): number {
    return this.#bucket.highestEpoch;
  }

  /**
   * The first thing that a new leader does: from then on every write of the one before fails. Errors as for writes.
   */
  async takeOffice(epoch: number): Promise<void> {
    this.#bucket.enter(epoch);
    if (this.#inForce !== undefined) await this.writeInForce({ ...this.#inForce, epoch });
    if (this.#admissions !== NO_ADMISSIONS) await this.writeAdmissions(this.#admissions);
  }

  leaveOffice(): void {
    this.#bucket.leave();
  }

  /** Writes what the control plane has lost, in office. Errors as for writes. */
  async putBack(): Promise<void> {
    const isMissing = (key: string): boolean => !this.#bucket.has(key);
    for (const document of this.history(MAX_DOCUMENTS))
      if (isMissing(documentKey(document.placement.version)))
        await this.#write(documentKey(document.placement.version), encodePlacementDocument(document));
    if (this.#inForce !== undefined && isMissing(IN_FORCE_KEY)) await this.writeInForce(this.#inForce);
    if (this.#admissions !== NO_ADMISSIONS && isMissing(ADMISSIONS_KEY)) await this.writeAdmissions(this.#admissions);
  }

  /**
   * Writes in office, and else throws `failed_precondition`: also when another leader has written since, which means that this one was
   * deposed. `unavailable` or `deadline_exceeded` while the control plane is away.
   */
  async writeDocument(document: PlacementDocument): Promise<void> {
    await this.#write(documentKey(document.placement.version), encodePlacementDocument(document));
    const [oldest] = this.history(MAX_DOCUMENTS + 1).slice(MAX_DOCUMENTS);
    if (oldest !== undefined) await this.#forgetDocument(oldest.placement.version);
  }

  /** Errors as writeDocument. */
  async writeInForce(inForce: PlacementInForce): Promise<void> {
    await this.#write(IN_FORCE_KEY, encodePlacementInForce({ ...inForce, epoch: this.#bucket.requireEpoch() }));
  }

  /** Errors as writeDocument. */
  async writeAdmissions(admissions: Omit<WorkerAdmissions, 'epoch'>): Promise<void> {
    await this.#write(ADMISSIONS_KEY, encodeWorkerAdmissions({ ...admissions, epoch: this.#bucket.requireEpoch() }));
  }

  /** Errors of the control plane. */
  async addAudit(record: AuditRecord): Promise<void> {
    await this.#audit.add(record);
  }

  close(): void {
    this.#stopWatching();
  }

  // What was written is known here at once; others, and this one, hear of it later.
  async #write(key: string, value: Uint8Array): Promise<void> {
    await this.#bucket.write(key, value, (other) => this.#epochOf(key, other));
    if (this.#take(key, value)) this.#options.onChange();
  }

  async #forgetDocument(version: number): Promise<void> {
    this.#documents.delete(version);
    this.#options.stateDirectory.delete(documentKey(version));
    await this.#options.bucket.delete(documentKey(version));
  }

  /** @returns whether it is news. Broken documents are no news, and neither is what a leader of before has written. */
  #take(key: string, value: Uint8Array): boolean {
    try {
      return this.#read(key, value);
    } catch (error) {
      this.#options.logger.warn({ err: error, key }, 'a document of the control plane was ignored');
      return false;
    }
  }

  #read(key: string, value: Uint8Array): boolean {
    const { stateDirectory, storeId } = this.#options;
    if (key.startsWith(AUDIT_KEY_PREFIX)) return this.#audit.take(key, value);
    if (key.startsWith(DOCUMENT_KEY_PREFIX)) {
      const document = parsePlacementDocument(value);
      this.#bucket.heardEpoch(document.epoch);
      if (document.storeId !== storeId) return false;
      this.#documents.set(document.placement.version, document);
    } else if (key === IN_FORCE_KEY) {
      const inForce = parsePlacementInForce(value);
      this.#bucket.heardEpoch(inForce.epoch);
      if (inForce.epoch < (this.#inForce?.epoch ?? 0)) return false;
      this.#inForce = inForce;
    } else if (key === ADMISSIONS_KEY) {
      const admissions = parseWorkerAdmissions(value);
      this.#bucket.heardEpoch(admissions.epoch);
      if (admissions.epoch < this.#admissions.epoch) return false;
      this.#admissions = admissions;
    } else return false;
    this.#routing = this.#inForce && routingPlacement(this.#inForce, (version) => this.placement(version));
    stateDirectory.write(key, value);
    return true;
  }

  #epochOf(key: string, value: Uint8Array): number {
    if (key === IN_FORCE_KEY) return parsePlacementInForce(value).epoch;
    return key === ADMISSIONS_KEY ? parseWorkerAdmissions(value).epoch : parsePlacementDocument(value).epoch;
  }
}

const byVersion = (a: PlacementDocument, b: PlacementDocument): number => b.placement.version - a.placement.version;
