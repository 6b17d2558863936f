import { type Logger } from '../process/logger.js';
import { type TransportSecurity } from '../transport-security/transport-security.js';
import { type ControlPlane } from './control-plane.js';
import { EmbeddedControlPlane } from './embedded-control-plane.js';
import { NatsControlPlane } from './nats-control-plane.js';

export interface ControlPlaneConfig {
  /** One server or more, separated by commas; absent for the embedded control plane. */
  readonly natsUrl: string | undefined;
  readonly cluster: string;
  /** Absent where the server knows this process by its certificate, or does not ask. */
  readonly natsCreds?: string | undefined;
}

/**
 * Never waits and never fails: a NATS server that is away is tried again for ever.
 *
 * @param clientName how this process is named in the server's list of connections.
 * @param security absent for plain text
 */
export function openControlPlane(
  config: ControlPlaneConfig,
  clientName: string,
  logger: Logger,
  security?: TransportSecurity,
): ControlPlane {
  const { natsUrl, cluster, natsCreds: credsFile } = config;
  if (natsUrl === undefined) return new EmbeddedControlPlane(logger);
  return new NatsControlPlane({ servers: natsUrl.split(','), cluster, clientName, logger, security, credsFile });
}
