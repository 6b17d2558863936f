import { setTimeout } from 'node:timers/promises';
import { workerKey } from '@expertmesh/shared/cluster/cluster-keys';
import { Heartbeat } from '@expertmesh/shared/cluster/heartbeat';
import { encodeWorkerRecord } from '@expertmesh/shared/cluster/member-record';
import { advertisedAddress, ownMemberId } from '@expertmesh/shared/cluster/own-address';
import { type WorkerConfig } from '@expertmesh/shared/config/worker-config';
import { openControlPlane } from '@expertmesh/shared/control-plane/open-control-plane';
import { type Logger } from '@expertmesh/shared/process/logger';
import { type TransportSecurity } from '@expertmesh/shared/transport-security/transport-security';

/** Coordinators notice the silence of a worker that could not sign off. */
const SIGN_OFF_TIMEOUT_MS = 1_000;

export interface RegisteredWorker {
  readonly bootId: string;
  readonly storeId: string;
  /** The real one, also where 0 (any free port) was asked for. */
  readonly controlPort: number;
  /** Undefined for plain text. */
  readonly security: TransportSecurity | undefined;
}

/**
 * Says to the cluster that this worker is there, until the returned function signs off. Serving needs none of it: the
 * control plane may be away for as long as it likes.
 */
export function registerWorker(
  config: WorkerConfig & { readonly natsUrl: string },
  { bootId, storeId, controlPort, security }: RegisteredWorker,
  logger: Logger,
): () => Promise<void> {
  const workerId = ownMemberId(config.workerId, controlPort);
  const controlAddress = advertisedAddress(config, controlPort);
  const { failureDomain, cluster } = config;
  const said = { formatVersion: 1, workerId, bootId, controlAddress, storeId, failureDomain } as const;
  const controlPlane = openControlPlane(config, `expertmesh worker ${workerId}`, logger, security);
  const heartbeat = new Heartbeat({
    controlPlane,
    bucket: controlPlane.workers,
    key: workerKey(workerId),
    record: (count) => encodeWorkerRecord({ ...said, heartbeat: count }),
    logger,
  });
  logger.info({ workerId, controlAddress, cluster }, 'registers');
  return async () => {
    await Promise.race([heartbeat.close(), setTimeout(SIGN_OFF_TIMEOUT_MS, undefined, { ref: false })]);
    await controlPlane.close();
  };
}
