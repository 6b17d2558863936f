import { expertBlobPath } from '@expertmesh/shared/expert-store/blob-path';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { type Logger } from '@expertmesh/shared/process/logger';
import { forgetVerification } from '@expertmesh/shared/store-repair/forget-verification';
import { scrub } from '@expertmesh/shared/store-repair/scrubber';
import { type WorkerCounters } from '../calls/worker-counters.js';
import { type MendingCompute } from './mending-compute.js';
import { type WorkerControl } from './worker-control.js';

export interface ScrubExpertsOptions {
  readonly store: ExpertStore;
  /** 0 for none. */
  readonly bytesPerSecond: number;
  readonly control: Pick<WorkerControl, 'state' | 'withdraw'>;
  readonly compute: Pick<MendingCompute, 'suspect'>;
  readonly counters: WorkerCounters;
  readonly logger: Logger;
}

/**
 * Compares the experts in memory with the manifest for as long as the worker runs. One that differs is not held any
 * more from then on, nor by the next process before its file was hashed: calls for it go to another replica, the leader
 * sees what is missing, and has it loaded again, with a file from somebody else.
 */
export async function scrubExperts(options: ScrubExpertsOptions, signal: AbortSignal): Promise<void> {
  const { store, bytesPerSecond, control, compute, counters, logger } = options;
  if (bytesPerSecond === 0) return;
  const held = (): ReadonlyMap<string, HeldExpert> =>
    new Map(
      control
        .state()
        .shards.flatMap(({ layerIndex, expertIds }) =>
          expertIds.map((expertId) => [expertBlobPath(layerIndex, expertId), { layerIndex, expertId }] as const),
        ),
    );
  const onDamaged = async (path: string, error: Error): Promise<void> => {
    const expert = held().get(path);
    if (expert === undefined) return;
    counters.add('numDamagedExperts', 1);
    compute.suspect(path);
    await control.withdraw(expert.layerIndex, expert.expertId, error.message);
    logger.error({ ...expert, reason: error.message }, 'weights in memory are damaged: the expert is withdrawn');
    await forgetVerification(store, path);
  };
  const onIntact = (sizeBytes: number): void => {
    counters.add('scrubbedBytes', sizeBytes);
  };
  await scrub({ store, bytesPerSecond, paths: () => [...held().keys()], onIntact, onDamaged }, signal);
}

interface HeldExpert {
  readonly layerIndex: number;
  readonly expertId: number;
}
