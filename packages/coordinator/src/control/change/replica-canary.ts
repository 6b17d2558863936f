import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type LayerSwitch } from './layer-switch.js';

/** Sends one row to an expert of a worker over the data plane; the row is the same for all. */
export type ProbeReplica = (workerId: string, layerIndex: number, expertId: number) => Promise<Float32Array>;

/** Providers and row types of the wire differ by less than 1 %; another expert's answer is nothing like it. */
const TOLERANCE = 0.05;

/**
 * Checks that every replica that was loaded for a layer computes what the expert's old ones do, where one of them answers. One probe after the
 * other: calls of requests wait behind them.
 *
 * @param isUp whether a worker can be asked
 * @throws ExpertmeshError `data_loss` for an answer that is not finite or another; what the probe throws.
 */
export async function checkNewReplicas(
  { layerIndex, gains }: LayerSwitch,
  old: Placement,
  isUp: (workerId: string) => boolean,
  probe: ProbeReplica,
): Promise<void> {
  const known = new Map<number, Float32Array>();
  const askOld = async (expertId: number): Promise<Float32Array | undefined> => {
    const holder = (old.replicas.get(layerIndex)?.[expertId] ?? [])
      .map((index) => old.workerIds[index] ?? '')
      .find((workerId) => isUp(workerId));
    if (holder === undefined || known.has(expertId)) return known.get(expertId);
    const answer = await probe(holder, layerIndex, expertId);
    known.set(expertId, answer);
    return answer;
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
