import { expertsOf, type Placement } from '@expertmesh/shared/placement/placement';

/** A call of canary rows, one for each of some experts of a worker. */
export interface CanaryProbe {
  readonly workerId: string;
  readonly layerIndex: number;
  readonly expertIds: readonly number[];
}

/**
 * The probe of a step of the rounds for ever: worker after worker, layer after layer, and another expert in every
 * round.
 *
 * @param round which expert, as a multiple of the number of experts goes round; by the step where absent
 * @returns undefined where the worker has no expert of the layer.
 */
export function scheduledProbe(placement: Placement, step: number, round?: number): CanaryProbe | undefined {
  const { workerIds, replicas } = placement;
  const layerIndices = [...replicas.keys()];
  const stepsInRound = workerIds.length * layerIndices.length;
  const workerIndex = step % workerIds.length;
  const layerIndex = layerIndices[Math.floor(step / workerIds.length) % layerIndices.length];
  const workerId = workerIds[workerIndex];
  if (layerIndex === undefined || workerId === undefined) return undefined;
  const held = expertsOf(placement, layerIndex, workerIndex);
  const expertId = held[(round ?? Math.floor(step / stepsInRound)) % held.length];
  return expertId === undefined ? undefined : { workerId, layerIndex, expertIds: [expertId] };
}
