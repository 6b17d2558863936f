import { once } from 'node:events';
import { type Metadata, type sendUnaryData, type ServerUnaryCall, type ServerWritableStream } from '@grpc/grpc-js';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Handlers } from '@expertmesh/shared/rpc/service-definition';
import { bindService, type BoundService } from '@expertmesh/shared/rpc/server';
import { adminService } from '@expertmesh/shared/rpc/services';
import { toServiceError } from '@expertmesh/shared/rpc/status';
import { type AdminApi, type AdminCaller } from '../control/admin/admin-api.js';
import { type AccessControl } from '../access/access-control.js';
import { PASSED_ON_HEADER } from '../control/admin/leader-link.js';
import { withAdminKey } from './guarded-handlers.js';

/**
 * AdminService, for `startServer` beside InferenceService. Call `api.close()` before the server's `close`: watchers
 * would hold it open.
 */
export function bindAdminService(api: AdminApi, access: AccessControl): BoundService {
  return bindService(adminService, withAdminKey(adminHandlers(api), access));
}

function adminHandlers(api: AdminApi): Handlers<typeof adminService> {
  return {
    getCluster: unary(() => api.cluster()),
    watchCluster: stream(({ intervalMs }, caller) => api.watch(intervalMs, caller)),
    cordonWorker: unary((command, caller) => api.cordon(command, caller)),
    uncordonWorker: unary((command, caller) => api.uncordon(command, caller)),
    drainWorker: stream((command, caller) => api.drain(command, caller)),
    removeWorker: unary((command, caller) => api.remove(command, caller)),
    getPlacement: unary((request) => api.placement(request)),
    planPlacement: unary((request, caller) => api.plan(request, caller)),
    applyPlacement: stream((request, caller) => api.apply(request, caller)),
    listPlacements: unary(({ limit }) => api.history(limit)),
    rollbackPlacement: stream((request, caller) => api.rollback(request, caller)),
    rebalance: stream((request, caller) => api.rebalance(request, caller)),
    listAudit: unary(({ limit }) => api.audit(limit)),
    getExpertStats: unary((request) => api.expertStats(request)),
    recordRoutes: stream((request, caller) => api.recordRoutes(request, caller)),
  };
}

const unary =
  <Request, Response>(answer: (request: Request, caller: AdminCaller) => Response | Promise<Response>) =>
  (call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>): void => {
    void (async () => {
      try {
        callback(null, await answer(call.request, callerOf(call)));
      } catch (thrown) {
        callback(toServiceError(thrown));
      }
    })();
  };

const stream =
  <Request, Response>(answer: (request: Request, caller: AdminCaller) => AsyncIterable<Response>) =>
  (call: ServerWritableStream<Request, Response>): void => {
    void (async () => {
      const caller = callerOf(call);
      try {
        for await (const message of answer(call.request, caller)) {
          if (caller.signal.aborted) break;
          if (!call.write(message)) await once(call, 'drain', { signal: caller.signal });
        }
        call.end();
      } catch (thrown) {
        call.emit('error', toServiceError(thrown));
      }
    })();
  };

interface Call {
  readonly metadata: Metadata;
  getPeer(): string;
  once(event: 'cancelled', listener: () => void): unknown;
}

function callerOf(call: Call): AdminCaller {
  const gone = new AbortController();
  call.once('cancelled', () => {
    gone.abort(new ExpertmeshError('cancelled', 'The client ended the call'));
  });
  const [passedOnBy] = call.metadata.get(PASSED_ON_HEADER);
  return { actor: `grpc ${call.getPeer()}`, passedOnBy: passedOnBy?.toString(), signal: gone.signal };
}
