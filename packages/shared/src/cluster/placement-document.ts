import { z } from 'zod';
import { PLACEMENT_POLICIES, type PlacementPolicy } from '../placement/plan-placement.js';
import { type Placement } from '../placement/placement.js';
import { encodeDocument, parseDocument, type DocumentKind } from './document.js';
import { encodePlacement, placementSchema } from './placement-encoding.js';

/** A placement as it is kept in the control plane and on disk, with what its history needs to say. */
export interface PlacementDocument {
  readonly formatVersion: 1;
  /** Of the expert store that it is for. */
  readonly storeId: string;
  /** Of the leader that wrote it. */
  readonly epoch: number;
  readonly policy: PlacementPolicy;
  /** Who asked for it: an operator, or the process that decided. */
  readonly actor: string;
  readonly reason: string;
  readonly createdMs: number;
  readonly redundantExperts: number;
  readonly survive: number;
  readonly placement: Placement;
}

/**
 * What is in force. While a change is under way, layers of `doneLayers` are routed by the placement `to`, all others by
 * `version`; when the last one is done, `version` becomes `to.version`.
 */
export interface PlacementInForce {
  readonly formatVersion: 1;
  readonly epoch: number;
  readonly sequence?: Sequence;
  readonly version: number;
  readonly change?: { readonly toVersion: number; readonly doneLayers: readonly number[] };
  /** Absent in what earlier releases wrote. */
  readonly history?: PlacementVersions;
}

/**
 * Greater with every write, by which what was put back is known from what it replaced, where both are of one epoch;
 * absent in what earlier releases wrote.
 */
type Sequence = number;

export interface PlacementVersions {
  /** Those that have been in force and can be gone back to, in that order; the last one is in force. */
  readonly inForce: readonly number[];
  /** The highest that was ever given to a placement, also to one that was taken back: none is given twice. */
  readonly last: number;
}

/** What operators have said of workers; of a removed one until it has been gone for some time. */
export interface WorkerAdmissions {
  readonly formatVersion: 1;
  readonly epoch: number;
  readonly sequence?: Sequence;
  /** Workers that are not named are accepting. */
  readonly workers: Readonly<Record<string, 'cordoned' | 'draining' | 'drained' | 'removed'>>;
  /**
   * Boot ids of workers of which it is said for this process alone: of removed ones, and of those that are drained to
   * be started again.
   */
  readonly untilRestart: Readonly<Record<string, string>>;
}

export function encodePlacementDocument(document: PlacementDocument): Uint8Array {
  return encodeDocument({ ...document, placement: encodePlacement(document.placement) });
}

/** Errors as parseDocument. */
export function parsePlacementDocument(value: Uint8Array): PlacementDocument {
  return parseDocument(PLACEMENT_DOCUMENT, value);
}

/** The same record always has the same bytes. */
export function encodePlacementInForce(inForce: PlacementInForce): Uint8Array {
  const { formatVersion, epoch, sequence, version, change, history } = inForce;
  return encodeDocument({ formatVersion, epoch, sequence, version, change, history });
}

/** Errors as parseDocument. */
export function parsePlacementInForce(value: Uint8Array): PlacementInForce {
  return parseDocument(IN_FORCE, value);
}

/** The same record always has the same bytes. */
export function encodeWorkerAdmissions(admissions: WorkerAdmissions): Uint8Array {
  const { formatVersion, epoch, sequence, workers, untilRestart } = admissions;
  return encodeDocument({ formatVersion, epoch, sequence, workers, untilRestart });
}

/** Errors as parseDocument. */
export function parseWorkerAdmissions(value: Uint8Array): WorkerAdmissions {
  return parseDocument(ADMISSIONS, value);
}

const formatVersion = z.literal(1);
const count = z.number().int().min(0);
const version = z.number().int().min(1);

const PLACEMENT_DOCUMENT: DocumentKind<PlacementDocument> = {
  name: 'placement document',
  formatVersion: 1,
  schema: z.object({
    formatVersion,
    storeId: z.string().min(1),
    epoch: count,
    policy: z.enum(PLACEMENT_POLICIES),
    actor: z.string(),
    reason: z.string(),
    createdMs: z.number(),
    redundantExperts: count,
    survive: count,
    placement: placementSchema,
  }),
};

const IN_FORCE: DocumentKind<PlacementInForce> = {
  name: 'record of the placement in force',
  formatVersion: 1,
  schema: z.object({
    formatVersion,
    epoch: count,
    sequence: count.exactOptional(),
    version,
    change: z.object({ toVersion: version, doneLayers: z.array(count) }).exactOptional(),
    history: z.object({ inForce: z.array(version), last: version }).exactOptional(),
  }),
};

const ADMISSIONS: DocumentKind<WorkerAdmissions> = {
  name: 'record of admissions',
  formatVersion: 1,
  schema: z.object({
    formatVersion,
    epoch: count,
    sequence: count.exactOptional(),
    workers: z.record(z.string(), z.enum(['cordoned', 'draining', 'drained', 'removed'])),
    untilRestart: z.record(z.string(), z.string()),
  }),
};
