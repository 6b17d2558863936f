import { z } from 'zod';
import { parseNetworkAddress } from '../config/network-address.js';
import { encodeDocument, parseDocument, type DocumentKind } from './document.js';

/** What a worker says of itself in the control plane, again with every heartbeat. */
export interface WorkerRecord {
  readonly formatVersion: 1;
  readonly workerId: string;
  /** Chosen anew at every start of the process. */
  readonly bootId: string;
  /**
   * Grows with every heartbeat of this process; observers measure the time between changes with their own monotonic
   * clock.
   */
  readonly heartbeat: number;
  /** Where coordinators reach it, `host:port`. */
  readonly controlAddress: string;
  readonly storeId: string;
  readonly failureDomain: string;
}

/** What a coordinator says of itself, likewise. */
export interface CoordinatorRecord {
  readonly formatVersion: 1;
  readonly coordinatorId: string;
  readonly bootId: string;
  readonly heartbeat: number;
  /** Where its AdminService is reached, `host:port`. */
  readonly adminAddress: string;
  /** The placement step that all of its dispatches follow by now; see PlacementInForce. */
  readonly appliedVersion: number;
  readonly appliedLayers: number;
  readonly load: CoordinatorLoad;
}

export interface CoordinatorLoad {
  readonly generationTokensPerSecond: number;
  readonly promptTokensPerSecond: number;
  readonly numRunning: number;
  readonly numWaiting: number;
  /** 0 to 1 */
  readonly kvCacheUsage: number;
}

/** Who leads. The record changes with every renewal, which is how observers see that the leader lives. */
export interface LeaderRecord {
  readonly formatVersion: 1;
  readonly coordinatorId: string;
  readonly bootId: string;
  /** Grows with every change of leader and never falls: placement writes and worker commands carry it. */
  readonly epoch: number;
  readonly renewal: number;
  /** It has left the office, which is free; the record stays for its epoch. */
  readonly hasResigned: boolean;
}

export function encodeWorkerRecord(record: WorkerRecord): Uint8Array {
  return encodeDocument(record);
}

/** Errors as parseDocument. */
export function parseWorkerRecord(value: Uint8Array): WorkerRecord {
  return parseDocument(WORKER_RECORD, value);
}

export function encodeCoordinatorRecord(record: CoordinatorRecord): Uint8Array {
  return encodeDocument(record);
}

/** Errors as parseDocument. */
export function parseCoordinatorRecord(value: Uint8Array): CoordinatorRecord {
  return parseDocument(COORDINATOR_RECORD, value);
}

export function encodeLeaderRecord(record: LeaderRecord): Uint8Array {
  return encodeDocument(record);
}

/** Errors as parseDocument. */
export function parseLeaderRecord(value: Uint8Array): LeaderRecord {
  return parseDocument(LEADER_RECORD, value);
}

const formatVersion = z.literal(1);
const id = z.string().min(1).max(256);
const address = z.string().refine((text) => parseNetworkAddress(text, 0) !== undefined, 'must be host:port');
const count = z.number().int().min(0);
const amount = z.number().min(0);

const WORKER_RECORD: DocumentKind<WorkerRecord> = {
  name: 'worker record',
  formatVersion: 1,
  schema: z.object({
    formatVersion,
    workerId: id,
    bootId: id,
    heartbeat: count,
    controlAddress: address,
    storeId: id,
    failureDomain: id,
  }),
};

const COORDINATOR_RECORD: DocumentKind<CoordinatorRecord> = {
  name: 'coordinator record',
  formatVersion: 1,
  schema: z.object({
    formatVersion,
    coordinatorId: id,
    bootId: id,
    heartbeat: count,
    adminAddress: address,
    appliedVersion: count,
    appliedLayers: count,
    load: z.object({
      generationTokensPerSecond: amount,
      promptTokensPerSecond: amount,
      numRunning: count,
      numWaiting: count,
      kvCacheUsage: amount,
    }),
  }),
};

const LEADER_RECORD: DocumentKind<LeaderRecord> = {
  name: 'leader record',
  formatVersion: 1,
  schema: z.object({
    formatVersion,
    coordinatorId: id,
    bootId: id,
    epoch: count,
    renewal: count,
    hasResigned: z.boolean(),
  }),
};
