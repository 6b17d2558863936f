import {
  ADMISSIONS_KEY,
  DOCUMENT_KEY_PREFIX,
  documentKey,
  IN_FORCE_KEY,
} from '@expertmesh/shared/cluster/cluster-keys';
import {
  parsePlacementDocument,
  parsePlacementInForce,
  parseWorkerAdmissions,
  type PlacementDocument,
  type PlacementInForce,
  type WorkerAdmissions,
} from '@expertmesh/shared/cluster/placement-document';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type Logger } from '@expertmesh/shared/process/logger';
import { isKept } from './placement-history.js';
import { routingPlacement } from './routing.js';
import { type StateDirectory } from './state-directory.js';

export interface PlacementMemoryOptions {
  readonly storeId: string;
  readonly stateDirectory: Pick<StateDirectory, 'write' | 'delete'>;
  /** Told the epoch of everything that is taken in. */
  readonly heardEpoch: (epoch: number) => void;
  readonly logger: Logger;
}

/**
 * What was written, or heard of, last: here and on disk. Documents that are of no use any more are forgotten in both
 * places.
 */
export class PlacementMemory {
  readonly #options: PlacementMemoryOptions;
  readonly #documents = new Map<number, PlacementDocument>();
  #inForce: PlacementInForce | undefined;
  #routing: Placement | undefined;
  #admissions: WorkerAdmissions = { formatVersion: 1, epoch: 0, workers: {}, untilRestart: {} };
  #lastVersion = 0;

  constructor(options: PlacementMemoryOptions) {
    this.#options = options;
  }

  /** Also where its document is not known, or of another store. */
  get inForce(): PlacementInForce | undefined {
    return this.#inForce;
  }

  get routing(): Placement | undefined {
    return this.#routing;
  }

  get admissions(): WorkerAdmissions {
    return this.#admissions;
  }

  /** The highest version of any placement, of whatever store; 0 for none. */
  get lastVersion(): number {
    return this.#lastVersion;
  }

  document(version: number): PlacementDocument | undefined {
    return this.#documents.get(version);
  }

  /** Newest first. */
  documents(): PlacementDocument[] {
    return [...this.#documents.values()].sort((a, b) => b.placement.version - a.placement.version);
  }

  /** Versions that have been in force so far, in that order. Earlier releases did not say, but kept the documents. */
  get versionsInForce(): readonly number[] {
    const { version: newest = Infinity, history } = this.#inForce ?? {};
    return history?.inForce ?? [...this.#documents.keys()].filter((version) => version <= newest).sort((a, b) => a - b);
  }

  /** Nothing is in force any more. */
  clearInForce(): void {
    this.#inForce = this.#routing = undefined;
  }

  /**
   * @returns whether it is news. Broken documents are no news, and neither is what was written before what is known: a
   *   leader that was replaced writes so, and a control plane that has lost acknowledged writes tells so.
   */
  take(key: string, value: Uint8Array): boolean {
    try {
      if (!this.#read(key, value)) return false;
    } catch (error) {
      this.#options.logger.warn({ err: error, key }, 'a document of the control plane was ignored');
      return false;
    }
    this.#options.stateDirectory.write(key, value);
    // Nothing is routed by admissions: what calls follow stays the same value.
    if (key === ADMISSIONS_KEY) return true;
    this.#forgetOutdated();
    this.#routing = this.#inForce && routingPlacement(this.#inForce, (version) => this.document(version)?.placement);
    return true;
  }

  /** Whether it is the key of a document that is of no use any more. */
  isOutdated(key: string): boolean {
    return key.startsWith(DOCUMENT_KEY_PREFIX) && this.#inForce !== undefined && !isKept(versionOf(key), this.#inForce);
  }

  #read(key: string, value: Uint8Array): boolean {
    if (key === IN_FORCE_KEY) return this.#readInForce(parsePlacementInForce(value));
    if (key === ADMISSIONS_KEY) return this.#readAdmissions(parseWorkerAdmissions(value));
    return key.startsWith(DOCUMENT_KEY_PREFIX) && this.#readDocument(parsePlacementDocument(value));
  }

  #readInForce(inForce: PlacementInForce): boolean {
    const { epoch, version, change, history } = inForce;
    this.#options.heardEpoch(epoch);
    this.#lastVersion = Math.max(this.#lastVersion, version, change?.toVersion ?? 0, history?.last ?? 0);
    if (this.#inForce !== undefined && isBefore(inForce, this.#inForce)) return false;
    this.#inForce = inForce;
    return true;
  }

  #readAdmissions(admissions: WorkerAdmissions): boolean {
    this.#options.heardEpoch(admissions.epoch);
    if (isBefore(admissions, this.#admissions)) return false;
    this.#admissions = admissions;
    return true;
  }

  #readDocument(document: PlacementDocument): boolean {
    const { version } = document.placement;
    this.#options.heardEpoch(document.epoch);
    this.#lastVersion = Math.max(this.#lastVersion, version);
    if (document.storeId !== this.#options.storeId) return false;
    this.#documents.set(version, document);
    return true;
  }

  #forgetOutdated(): void {
    for (const version of [...this.#documents.keys()]) {
      const key = documentKey(version);
      if (!this.isOutdated(key)) continue;
      this.#documents.delete(version);
      this.#options.stateDirectory.delete(key);
    }
  }
}

type Written = Pick<PlacementInForce, 'epoch' | 'sequence'>;

const isBefore = (a: Written, b: Written): boolean =>
  a.epoch === b.epoch ? (a.sequence ?? 0) < (b.sequence ?? 0) : a.epoch < b.epoch;

const versionOf = (key: string): number => Number(key.slice(DOCUMENT_KEY_PREFIX.length));
