import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type LayerSwitch } from './layer-switch.js';

/** Sends one row to an expert of a worker over the data plane; the row is the same for all. */
export type ProbeReplica = (workerId: string, layerIndex: number, expertId: number) => Promise<Float32Array>;

/** Providers and row types of the wire differ by less than 1 %; another expert's answer is nothing like it. */
const TOLERANCE = 0.05;

/**
 * Checks that every replica that was loaded for a layer computes what the expert's old ones do, where one of them
 * answers. One probe after the other: calls of requests wait behind them.
 *
 * @param isUp whether a worker can be asked
 * @throws ExpertmeshError `data_loss` for an answer that is not finite or another; what the probe of a new replica
 * throws.
 */
export async function checkNewReplicas(
  { layerIndex, gains }: LayerSwitch,
  old: Placement,
  isUp: (workerId: string) => boolean,
  probe: ProbeReplica,
): Promise<void> {
  const known = new Map<number, Float32Array | undefined>();
  const askOld = async (expertId: number): Promise<Float32Array | undefined> => {
    const holders = (old.replicas.get(layerIndex)?.[expertId] ?? []).map((index) => old.workerIds[index] ?? '');
    if (!known.has(expertId))
      known.set(expertId, await firstAnswer(holders.filter(isUp), (workerId) => probe(workerId, layerIndex, expertId)));
    return known.get(expertId);
  };
  for (const [workerId, expertIds] of gains)
    for (const expertId of expertIds) {
      const wrong = differenceOf(await probe(workerId, layerIndex, expertId), await askOld(expertId));
      if (wrong !== undefined)
        throw new ExpertmeshError(
          'data_loss',
          `worker ${workerId} computes expert ${String(expertId)} of layer ${String(layerIndex)} wrongly: ${wrong}`,
        );
    }
}

// An old holder that fails has troubles of its own: that the new ones are right is all the more welcome.
async function firstAnswer(
  holders: readonly string[],
  ask: (workerId: string) => Promise<Float32Array>,
): Promise<Float32Array | undefined> {
  for (const holder of holders) {
    const answer = await ask(holder).catch(() => undefined);
    if (answer !== undefined) return answer;
  }
  return undefined;
}

function differenceOf(answer: Float32Array, expected: Float32Array | undefined): string | undefined {
  if (!answer.every((value) => Number.isFinite(value))) return 'its answer is not finite';
  if (expected === undefined) return undefined;
  let [difference, size] = [0, 0];
  for (const [index, value] of expected.entries()) {
    difference += (value - (answer[index] ?? 0)) ** 2;
    size += value ** 2;
  }
  const relative = size > 0 ? Math.sqrt(difference / size) : Math.sqrt(difference);
  return relative <= TOLERANCE ? undefined : `its answer is ${(relative * 100).toFixed(1)} % off another replica's`;
}
