import { RpcClient } from '@expertmesh/shared/rpc/client';
import { type Clock, systemClock } from '@expertmesh/shared/rpc/clock';
import { GrpcStreamClient } from '@expertmesh/shared/rpc/grpc-stream/grpc-stream-client';
import { type Openers } from '@expertmesh/shared/rpc/openers';
import { expertService } from '@expertmesh/shared/rpc/services';
import { type TransportSecurity } from '@expertmesh/shared/transport-security/transport-security';

/**
 * The connections of this process to workers and to other coordinators.
 *
 * @param security undefined for plain text
 * @param clock counts the deadlines of calls
 */
export function connectionOpeners(security: TransportSecurity | undefined, clock: Clock = systemClock): Openers {
  return {
    openClient: ({ address, peer, role, headers }) =>
      new RpcClient(address, peer, clock, headers, { security, serverRoles: [role] }),
    openStream: (address, events) =>
      new GrpcStreamClient(address, expertService.dispatch, events, { security, serverRoles: ['worker'] }),
  };
}
