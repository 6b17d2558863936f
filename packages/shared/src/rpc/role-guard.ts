import { ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { requireRole } from '../transport-security/method-roles.js';
import { peerIdentity } from '../transport-security/tls-ends.js';
import { type TransportSecurity } from '../transport-security/transport-security.js';
import { toServiceError } from './status.js';

/** Refuses calls whose caller has no certificate with a role that may make them, before a message of them is read. */
export function roleGuard(security: TransportSecurity): ServerInterceptor {
  return ({ path }, call) =>
    new ServerInterceptingCall(call, {
      start: (next) => {
        next({
          onReceiveMetadata: (metadata, receive) => {
            const refused = refusal(security, path, call.getAuthContext().sslPeerCertificate?.raw);
            if (refused === undefined) receive(metadata);
            else call.sendStatus(refused);
          },
        });
      },
    });
}

function refusal(security: TransportSecurity, path: string, certificateDer: Buffer | undefined) {
  try {
    requireCaller(security, path, certificateDer);
    return undefined;
  } catch (thrown) {
    return toServiceError(thrown);
  }
}

/** @throws ExpertmeshError `permission_denied` where the client of a connection may not call the method. */
export function requireCaller(security: TransportSecurity, path: string, certificateDer: Buffer | undefined): void {
  if (certificateDer === undefined)
    throw new ExpertmeshError('permission_denied', `${path} is not called without a certificate`);
  requireRole(peerIdentity(certificateDer, security).role, path);
}
