import { connectionOpeners } from '@expertmesh/coordinator/serving/connection-openers';
import { AccessControl } from '@expertmesh/coordinator/access/access-control';
import { AdminApi } from '@expertmesh/coordinator/control/admin/admin-api';
import { bindAdminService } from '@expertmesh/coordinator/grpc/admin-service';
import { ExpertStats, type TraceChunk } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { RpcClient } from '@expertmesh/shared/rpc/client';
import { systemClock } from '@expertmesh/shared/rpc/clock';
import { startServer } from '@expertmesh/shared/rpc/server';
import { type ScriptedClusterAdmin } from './scripted-cluster-admin.js';

/** AdminService of a scripted cluster, on a free port. */
export async function startAdminServer(admin: ScriptedClusterAdmin) {
  const api = new AdminApi({
    admin,
    ...connectionOpeners(undefined),
    monitor: { stats: (window, withCoactivations) => expertStats(window, withCoactivations) },
    recordRoutes: async function* (request, signal): AsyncGenerator<TraceChunk> {
      for (let chunk = 0; request.maxTokens === 0 || chunk < request.maxTokens; chunk++) {
        if (signal.aborted) return;
        yield { data: Uint8Array.of(chunk), numTokens: 1 };
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
  });
  const services = [bindAdminService(api, new AccessControl({ clock: systemClock }))];
  const server = await startServer({ host: '127.0.0.1', port: 0, portFlag: '--grpc-port', services });
  const address = `127.0.0.1:${String(server.port)}`;
  const client = new RpcClient(address, admin.coordinatorId);
  return {
    admin,
    api,
    address,
    client,
    close: async (): Promise<void> => {
      client.close();
      api.close();
      await server.close(200);
    },
  };
}

export type AdminServer = Awaited<ReturnType<typeof startAdminServer>>;

const expertStats = (window: string, withCoactivations: boolean): ExpertStats =>
  ExpertStats.fromPartial({
    window,
    numTokens: 1000,
    numSteps: 100,
    numExperts: 4,
    topK: 2,
    layers: [
      {
        layerIndex: 0,
        tokens: [1400, 300, 300, 0],
        activeSteps: [90, 50, 50, 0],
        coactivations: withCoactivations ? new Array<number>(16).fill(1) : [],
        balancedness: 0.71,
        gini: 0.5,
        loadBalancingLoss: 1.4,
      },
    ],
    balance: { meanBalancedness: 0.71, worstBalancedness: 0.71 },
    hottestExperts: [{ layerIndex: 0, expertId: 0, share: 0.7, timesMean: 2.8, workerIds: ['w0'] }],
    numDeadExperts: 1,
    drift: 0.05,
    loadBalancingLoss: 1.4,
  });
