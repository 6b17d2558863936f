import { seededRandom } from '@expertmesh/shared/random/seeded-random';

/** What was measured of one batch size on a box like those that are predicted with, times in milliseconds. */
export interface MeasuredLayer {
  readonly batchSize: number;
  /** Norms, projections, attention, router. */
  readonly dense: number;
  /** The experts of a layer, all on one worker. */
  readonly compute: number;
  /** Everything else of a layer, with the workers on loopback. */
  readonly overhead: number;
  /** Embedding, head and sampling of a step: what is left of a token's time without its layers. */
  readonly head: number;
}

export interface PredictedModel {
  readonly numLayers: number;
  readonly numExperts: number;
  readonly topK: number;
  readonly hiddenSize: number;
}

export interface Network {
  readonly roundTripMs: number;
  readonly bytesPerSecond: number;
}

export interface Prediction {
  readonly numBoxes: number;
  readonly batchSize: number;
  readonly tokensPerSecond: number;
  /** Of a step. */
  readonly stepMs: number;
  /** Distinct workers that a token needs. */
  readonly distinctWorkers: number;
  /** Experts of the busiest worker, as a fraction of all that the batch needs. */
  readonly busiestShare: number;
}

const NUM_DRAWS = 4000;
const FP16_BYTES = 2;

/**
 * Predicts decoding of a whole model over several boxes from the layers that one box has computed:
 *
 *     step = layers x (dense + compute x busiest + overhead + round trip + bytes / rate) + head
 *
 * where `busiest` is the share of the batch's distinct experts that the busiest worker has to read (routing at random,
 * experts spread evenly), and `bytes` what the coordinator's port carries both ways with fp16 rows: batch x distinct
 * workers x hidden x 2 bytes in each direction, one after the other. Micro-batches, which overlap the terms, are left
 * out.
 */
export function predictDecode(
  model: PredictedModel,
  layer: MeasuredLayer,
  numBoxes: number,
  network: Network,
): Prediction {
  const { distinctWorkers, busiestShare } = spread(model, numBoxes, layer.batchSize);
  const bytesOneWay = layer.batchSize * distinctWorkers * model.hiddenSize * FP16_BYTES;
  // Rows go out before sums come back: the two directions do not overlap within a layer.
  const wireMs = network.roundTripMs + (1000 * 2 * bytesOneWay) / network.bytesPerSecond;
  const layerMs = layer.dense + layer.compute * busiestShare + layer.overhead + wireMs;
  const stepMs = model.numLayers * layerMs + layer.head;
  return {
    numBoxes,
    batchSize: layer.batchSize,
    stepMs,
    tokensPerSecond: (1000 * layer.batchSize) / stepMs,
    distinctWorkers,
    busiestShare,
  };
}

/**
 * How tokens that choose their experts at random spread over workers with equal shares of them: means of many draws.
 */
export function spread(
  { numExperts, topK }: PredictedModel,
  numWorkers: number,
  batchSize: number,
): { distinctWorkers: number; busiestShare: number } {
  const random = seededRandom(numWorkers * 1000 + batchSize);
  let numDistinct = 0;
  let sumShares = 0;
  for (let draw = 0; draw < NUM_DRAWS; draw++) {
    const active = new Set<number>();
    for (let token = 0; token < batchSize; token++) {
      const chosen = drawExperts(numExperts, topK, random);
      numDistinct += new Set(chosen.map((expert) => workerOf(expert, numExperts, numWorkers))).size;
      for (const expert of chosen) active.add(expert);
    }
    const perWorker = new Array<number>(numWorkers).fill(0);
    for (const expert of active) {
      const worker = workerOf(expert, numExperts, numWorkers);
      perWorker[worker] = (perWorker[worker] ?? 0) + 1;
    }
    sumShares += Math.max(...perWorker) / active.size;
  }
  return { distinctWorkers: numDistinct / (NUM_DRAWS * batchSize), busiestShare: sumShares / NUM_DRAWS };
}

const workerOf = (expert: number, numExperts: number, numWorkers: number): number =>
  Math.floor((expert * numWorkers) / numExperts);

function drawExperts(numExperts: number, topK: number, random: () => number): number[] {
  const chosen = new Set<number>();
  while (chosen.size < topK) chosen.add(Math.floor(random() * numExperts));
  return [...chosen];
}
