import { ADMISSIONS_KEY, AUDIT_KEY_PREFIX, documentKey, IN_FORCE_KEY } from '@expertmesh/shared/cluster/cluster-keys';
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
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type AuditRecord } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type Logger } from '@expertmesh/shared/process/logger';
import { AuditTrail } from './audit-trail.js';
import { FencedBucket } from './fenced-bucket.js';
import { withHistory } from './placement-history.js';
import { PlacementMemory } from './placement-memory.js';
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

/**
 * What this coordinator knows of placements, whether the control plane is there or not. Whoever leads writes, one write
 * after the other; the control plane tells all others. What vanishes from the control plane is not forgotten here: the
 * leader puts it back.
 */
export class PlacementStore {
  readonly #options: PlacementStoreOptions;
  readonly #bucket: FencedBucket;
  readonly #memory: PlacementMemory;
  readonly #audit: AuditTrail;
  readonly #stopWatching: () => void;
  #isCurrent = false;
  #auditFailure = '';
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: PlacementStoreOptions) {
    const { bucket, stateDirectory } = options;
    this.#options = options;
    this.#bucket = new FencedBucket(bucket, epochOf);
    this.#memory = new PlacementMemory({
      ...options,
      heardEpoch: (epoch) => {
        this.#bucket.heardEpoch(epoch);
      },
    });
    this.#audit = new AuditTrail(bucket, stateDirectory);
    for (const [key, value] of stateDirectory.read())
      if (key.startsWith(AUDIT_KEY_PREFIX)) this.#audit.restore(key, value);
      else this.#memory.take(key, value);
    if (this.routing !== undefined && !options.isUsable(this.routing)) this.#memory.clearInForce();
    this.#stopWatching = bucket.watch({
      onEntry: ({ key, value, revision }) => {
        if (this.#bucket.hear(key, revision)) this.#learn(key, value);
      },
      onDelete: (key) => {
        this.#bucket.forget(key);
        if (key.startsWith(AUDIT_KEY_PREFIX)) this.#audit.forget(key);
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
    const { inForce } = this.#memory;
    return inForce !== undefined && this.placement(inForce.version) !== undefined ? inForce : undefined;
  }

  get admissions(): WorkerAdmissions {
    return this.#memory.admissions;
  }

  /** What calls are routed by; the same value until that changes. */
  get routing(): Placement | undefined {
    return this.#memory.routing;
  }

  document(version: number): PlacementDocument | undefined {
    return this.#memory.document(version);
  }

  placement(version: number): Placement | undefined {
    return this.document(version)?.placement;
  }

  /** Newest first: what is in force, what was, and what a change under way leads to. */
  history(limit: number): PlacementDocument[] {
    return this.#memory.documents().slice(0, limit);
  }

  audit(limit: number): AuditRecord[] {
    return this.#audit.newest(limit);
  }

  /** Greater than that of every placement that was ever heard of. */
  get nextVersion(): number {
    return 1 + this.#memory.lastVersion;
  }

  /** Of all that was ever heard of. */
  get highestEpoch(): number {
    return this.#bucket.highestEpoch;
  }

  /**
   * The first thing that a new leader does: it takes in the last that the one before has written, and from then on
   * every write of that one fails. Errors as for writes.
   */
  async takeOffice(epoch: number): Promise<void> {
    this.#bucket.enter(epoch);
    try {
      await this.#inTurn(async () => {
        await this.#change(IN_FORCE_KEY, () => this.#encodedInForce(epoch), epoch);
        await this.#change(ADMISSIONS_KEY, () => this.#encodedAdmissions(epoch), epoch);
      });
    } catch (error) {
      // Nobody may write by what this coordinator happens to know.
      this.#bucket.leave(epoch);
      throw error;
    }
  }

  leaveOffice(): void {
    this.#bucket.leave();
  }

  /** The control plane is there again and may have lost writes: the next `reconcile` looks for everything. */
  doubtControlPlane(): void {
    this.#bucket.doubt();
  }

  /** Writes what the control plane has lost, and takes out what is kept no longer, in office. Errors as for writes. */
  async reconcile(): Promise<void> {
    await this.#inTurn(async () => {
      const epoch = this.#bucket.requireEpoch();
      for (const document of this.#memory.documents())
        await this.#putBack(documentKey(document.placement.version), () => encodePlacementDocument(document), epoch);
      await this.#putBack(IN_FORCE_KEY, () => this.#encodedInForce(epoch), epoch);
      await this.#putBack(ADMISSIONS_KEY, () => this.#encodedAdmissions(epoch), epoch);
      for (const key of this.#bucket.keys) if (this.#memory.isOutdated(key)) await this.#bucket.delete(key, epoch);
      await this.#shareAudit();
    });
  }

  /**
   * Writes in the office whose epoch it has, and else throws `failed_precondition`: also when another leader has
   * written since, which means that this one was deposed. `unavailable` or `deadline_exceeded` while the control plane
   * is away.
   */
  async writeDocument(document: PlacementDocument): Promise<void> {
    const key = documentKey(document.placement.version);
    await this.#inTurn(() => this.#write(key, encodePlacementDocument(document), document.epoch));
  }

  /** The history is written with it. Errors as writeDocument. */
  async writeInForce(next: Omit<PlacementInForce, 'history' | 'sequence'>): Promise<void> {
    await this.#inTurn(async () => {
      const { versionsInForce, lastVersion, inForce: before } = this.#memory;
      const inForce = withHistory({ ...next, sequence: sequenceAfter(before) }, versionsInForce, lastVersion);
      await this.#write(IN_FORCE_KEY, encodePlacementInForce(inForce), next.epoch);
    });
  }

  /**
   * Errors as writeDocument.
   *
   * @param change is given the admissions as they are when its turn has come
   */
  async changeAdmissions(
    change: (now: WorkerAdmissions) => Pick<WorkerAdmissions, 'workers' | 'untilRestart'>,
  ): Promise<void> {
    await this.#inTurn(async () => {
      const epoch = this.#bucket.requireEpoch();
      const next = () => {
        const sequence = sequenceAfter(this.admissions);
        return encodeWorkerAdmissions({ formatVersion: 1, ...change(this.admissions), epoch, sequence });
      };
      await this.#change(ADMISSIONS_KEY, next, epoch);
    });
  }

  /** Errors of the control plane; the record is kept here and on disk all the same. */
  async addAudit(record: AuditRecord): Promise<void> {
    this.#audit.add(record);
    await this.#inTurn(() => this.#audit.publish());
  }

  close(): void {
    this.#stopWatching();
  }

  #inTurn(task: () => Promise<void>): Promise<void> {
    const result = this.#turn.then(task);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  // Never rejects: a record that cannot be written keeps nobody from leading. Every reason is told once, as it is tried
  // again and again.
  async #shareAudit(): Promise<void> {
    try {
      await this.#audit.publish();
      await this.#audit.prune();
      this.#auditFailure = '';
    } catch (error) {
      const { message } = ExpertmeshError.from(error);
      if (message !== this.#auditFailure)
        this.#options.logger.warn({ err: error }, 'the control plane did not take the audit');
      this.#auditFailure = message;
    }
  }

  // What was written is known here at once; others, and this one, hear of it later.
  async #write(key: string, value: Uint8Array, epoch: number): Promise<void> {
    await this.#bucket.write(key, value, epoch);
    this.#learn(key, value);
  }

  async #putBack(key: string, encode: () => Uint8Array | undefined, epoch: number): Promise<void> {
    const value = this.#bucket.has(key) ? undefined : encode();
    if (value === undefined) return;
    await this.#bucket.putBack(key, value, epoch);
    this.#learn(key, value);
  }

  #encodedInForce(epoch: number): Uint8Array | undefined {
    const { inForce } = this.#memory;
    return inForce && encodePlacementInForce({ ...inForce, epoch });
  }

  #encodedAdmissions(epoch: number): Uint8Array {
    return encodeWorkerAdmissions({ ...this.admissions, epoch });
  }

  async #change(key: string, next: () => Uint8Array | undefined, epoch: number): Promise<void> {
    const learn = async (found: Uint8Array): Promise<void> => {
      if (key === IN_FORCE_KEY) await this.#learnDocumentsOf(found);
      this.#learn(key, found);
    };
    const written = await this.#bucket.change(key, { learn, next }, epoch);
    if (written !== undefined) this.#learn(key, written);
  }

  // The watch may not have told of them yet.
  async #learnDocumentsOf(found: Uint8Array): Promise<void> {
    const inForce = orUndefined(() => parsePlacementInForce(found));
    for (const version of [inForce?.version, inForce?.change?.toVersion]) {
      if (version === undefined || this.document(version) !== undefined) continue;
      const document = await this.#options.bucket.get(documentKey(version));
      if (document !== undefined) this.#learn(document.key, document.value);
    }
  }

  // To a leader the watch tells nothing of what it has found or written itself.
  #learn(key: string, value: Uint8Array): void {
    if (key.startsWith(AUDIT_KEY_PREFIX)) this.#audit.hear(key, value);
    else if (this.#memory.take(key, value)) this.#options.onChange();
  }
}

const sequenceAfter = (before: Pick<PlacementInForce, 'sequence'> | undefined): number => 1 + (before?.sequence ?? 0);

function epochOf(key: string, value: Uint8Array): number {
  const parse = { [IN_FORCE_KEY]: parsePlacementInForce, [ADMISSIONS_KEY]: parseWorkerAdmissions }[key];
  return orUndefined(() => (parse ?? parsePlacementDocument)(value))?.epoch ?? 0;
}

/** For what may be broken. */
function orUndefined<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}
