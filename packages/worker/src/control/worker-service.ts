import { type WorkerStats } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { bindService, type BoundService } from '@expertmesh/shared/rpc/server';
import { workerService } from '@expertmesh/shared/rpc/services';
import { toServiceError } from '@expertmesh/shared/rpc/status';
import { type WorkerControl } from './worker-control.js';
import { type OwnCapacity } from './own-capacity.js';
import { type WorkerCounters } from '../calls/worker-counters.js';

/** Timers of Node end at once when they are given more; this is 24 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export interface WorkerIdentity {
  /** Chosen anew at every start of the process. */
  readonly bootId: string;
  readonly storeId: string;
  readonly dataPort: number;
  readonly memoryBudgetBytes: number;
}

/** `expertmesh.v1.WorkerService`: translates between gRPC and `control`. */
export function createWorkerService(
  control: WorkerControl,
  counters: WorkerCounters,
  identity: WorkerIdentity,
  capacity: OwnCapacity,
): BoundService {
  const stats = (): WorkerStats => ({
    ...identity,
    ...control.state(),
    ...processStats(counters),
    capacity: capacity.read(),
  });
  return bindService(workerService, {
    assign: ({ request }, callback) => {
      respond(callback, () => control.assign(request));
    },
    load: (stream) => {
      load(control, stream);
    },
    unload: ({ request }, callback) => {
      respond(callback, async () => {
        await control.unload(request);
        return {};
      });
    },
    resetEpoch: (_, callback) => {
      respond(callback, () => ({ epoch: control.resetEpoch() }));
    },
    getStats: (_, callback) => {
      respond(callback, stats);
    },
    drain: ({ request }, callback) => {
      respond(callback, async () => ({
        numFailedCalls: await control.drain(AbortSignal.timeout(Math.min(request.timeoutMs, MAX_TIMER_MS))),
      }));
    },
  });
}

type LoadStream = Parameters<Parameters<typeof bindService<typeof workerService>>[1]['load']>[0];

function load(control: WorkerControl, stream: LoadStream): void {
  const abort = new AbortController();
  stream.on('cancelled', () => {
    abort.abort();
  });
  control
    .load(stream.request, (progress) => stream.write(progress), abort.signal)
    .then(
      () => stream.end(),
      (error: unknown) => stream.emit('error', toServiceError(error)),
    );
}

type Callback<Response> = (error: ReturnType<typeof toServiceError> | null, response?: Response) => void;

function respond<Response>(callback: Callback<Response>, handle: () => Response | Promise<Response>): void {
  Promise.resolve()
    .then(handle)
    .then(
      (response) => {
        callback(null, response);
      },
      (error: unknown) => {
        callback(toServiceError(error));
      },
    );
}

const processStats = (counters: WorkerCounters) => ({
  residentBytes: process.memoryUsage.rss(),
  uptimeMs: Math.round(process.uptime() * 1000),
  numCalls: counters.get('numCalls'),
  numFailedCalls: counters.get('numFailedCalls'),
  numPairs: counters.get('numPairs'),
  numRuns: counters.get('numRuns'),
  computeUs: counters.get('computeUs'),
  numQueuedCalls: counters.get('numQueuedCalls'),
  scrubbedBytes: counters.get('scrubbedBytes'),
  numDamagedExperts: counters.get('numDamagedExperts'),
});
