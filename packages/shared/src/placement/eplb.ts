import { ExpertmeshError } from '../errors/expertmesh-error.js';

/**
 * A placement as EPLB describes it. Worker w has the physical experts w * n to (w + 1) * n - 1, where n = physical
 * experts / workers.
 */
export interface EplbPlacement {
  /** [layers][physical experts] the logical expert that each physical expert is a replica of. */
  readonly physicalToLogical: readonly (readonly number[])[];
  /** [layers][logical experts] its physical experts, by rank; EPLB pads these lists with -1. */
  readonly logicalToPhysical: readonly (readonly (readonly number[])[])[];
  /** [layers][logical experts] */
  readonly replicaCounts: readonly (readonly number[])[];
}

/**
 * The load balancer of DeepSeek-V3 (github.com/deepseek-ai/EPLB): packs whole expert groups onto nodes, gives the most
 * loaded experts of a node more replicas, and packs the replicas onto the workers of the node. Where the nodes do not
 * divide the groups, all workers count as one node with one group (the global policy). Sums and quotients are fp32 as
 * there, and equal loads keep their order.
 *
 * It knows neither memory nor speed, and may put two replicas of an expert on one worker; planPlacement mends that.
 *
 * @param loads [layers][logical experts] token counts
 * @throws ExpertmeshError `invalid_argument` for sizes that do not divide each other.
 */
export function rebalanceExperts(
  loads: readonly ArrayLike<number>[],
  numPhysicalExperts: number,
  numGroups: number,
  numNodes: number,
  numWorkers: number,
): EplbPlacement {
  const isHierarchical = numGroups % numNodes === 0;
  const sizes = {
    numPhysicalExperts,
    numWorkers,
    numGroups: isHierarchical ? numGroups : 1,
    numNodes: isHierarchical ? numNodes : 1,
  };
  const layers = loads.map((load) => rebalanceLayer(Float32Array.from(load), sizes));
  return {
    physicalToLogical: layers.map(({ physicalToLogical }) => physicalToLogical),
    logicalToPhysical: layers.map(({ logicalToPhysical }) => logicalToPhysical),
    replicaCounts: layers.map(({ logicalToPhysical }) => logicalToPhysical.map(({ length }) => length)),
  };
}

/** The replicas of some experts, in the order in which they were added. */
export interface Replication {
  /** [physical experts] */
  readonly logicalOf: readonly number[];
  /** [physical experts] how many replicas the same expert had before this one. */
  readonly rankOf: readonly number[];
  /** [logical experts] */
  readonly counts: readonly number[];
}

/**
 * Gives every expert `minReplicas`, then one more to whichever has the highest load per replica, until there are
 * `numPhysicalExperts`.
 *
 * @param loads [logical experts]
 */
export function replicateExperts(loads: Float32Array, numPhysicalExperts: number, minReplicas = 1): Replication {
  const logicalOf: number[] = [];
  const rankOf: number[] = [];
  const counts = Array.from(loads, () => 0);
  const addReplica = (expertId: number): void => {
    const rank = counts[expertId] ?? 0;
    logicalOf.push(expertId);
    rankOf.push(rank);
    counts[expertId] = rank + 1;
  };
  for (let rank = 0; rank < minReplicas; rank++) for (let e = 0; e < loads.length; e++) addReplica(e);
  while (logicalOf.length < numPhysicalExperts) addReplica(indexOfLargest(loadsPerReplica(loads, counts)));
  return { logicalOf, rankOf, counts };
}

/**
 * Puts items into packs, the heaviest first, each into the lightest pack that has room.
 *
 * @param weights [items]
 * @param roomOfPack [packs] how many items each can take; their sum is at least the number of items
 * @returns [packs] the items of each, in the order in which they came
 */
export function packHeaviestFirst(weights: Float32Array, roomOfPack: readonly number[]): number[][] {
  // EPLB's shortcut: with one item a pack there is nothing to balance, and item i stays in pack i.
  if (weights.length === roomOfPack.length && roomOfPack.every((room) => room === 1))
    return Array.from(weights, (_, item) => [item]);

  const packs = roomOfPack.map((): number[] => []);
  const packWeights = new Float32Array(roomOfPack.length);
  for (const item of indicesHeaviestFirst(weights)) {
    let lightest = -1;
    for (let pack = 0; pack < packs.length; pack++) {
      const hasRoom = (packs[pack]?.length ?? 0) < (roomOfPack[pack] ?? 0);
      if (hasRoom && (lightest < 0 || (packWeights[pack] ?? 0) < (packWeights[lightest] ?? 0))) lightest = pack;
    }
    packs[lightest]?.push(item);
    packWeights[lightest] = (packWeights[lightest] ?? 0) + (weights[item] ?? 0);
  }
  return packs;
}

interface EplbSizes {
  readonly numPhysicalExperts: number;
  readonly numWorkers: number;
  readonly numGroups: number;
  readonly numNodes: number;
}

interface EplbLayer {
  readonly physicalToLogical: number[];
  readonly logicalToPhysical: number[][];
}

function rebalanceLayer(load: Float32Array, sizes: EplbSizes): EplbLayer {
  checkSizes(load.length, sizes);
  const { numPhysicalExperts, numWorkers, numNodes } = sizes;
  const workersPerNode = numWorkers / numNodes;
  const physicalToLogical: number[] = [];
  const logicalToPhysical = Array.from(load, (): number[] => []);
  for (const logicalIds of expertsOfNodes(load, sizes)) {
    const nodeLoad = Float32Array.from(logicalIds, (expertId) => load[expertId] ?? 0);
    const { logicalOf, rankOf, counts } = replicateExperts(nodeLoad, numPhysicalExperts / numNodes);
    const perReplica = loadsPerReplica(nodeLoad, counts);
    const replicaLoads = Float32Array.from(logicalOf, (local) => perReplica[local] ?? 0);
    const rooms = new Array<number>(workersPerNode).fill(numPhysicalExperts / numWorkers);
    for (const replica of packHeaviestFirst(replicaLoads, rooms).flat()) {
      const expertId = logicalIds[logicalOf[replica] ?? 0] ?? 0;
      const physicalIds = logicalToPhysical[expertId] ?? [];
      physicalIds[rankOf[replica] ?? 0] = physicalToLogical.length;
      physicalToLogical.push(expertId);
    }
  }
  return { physicalToLogical, logicalToPhysical };
}

// [nodes] the logical experts of each: those of the groups that were packed onto it.
function expertsOfNodes(load: Float32Array, { numGroups, numNodes }: EplbSizes): number[][] {
  const groupSize = load.length / numGroups;
  const groupLoads = new Float32Array(numGroups);
  for (let e = 0; e < load.length; e++) {
    const group = Math.floor(e / groupSize);
    groupLoads[group] = (groupLoads[group] ?? 0) + (load[e] ?? 0);
  }
  const rooms = new Array<number>(numNodes).fill(numGroups / numNodes);
  return packHeaviestFirst(groupLoads, rooms).map((groups) =>
    groups.flatMap((group) => Array.from({ length: groupSize }, (_, member) => group * groupSize + member)),
  );
}

function checkSizes(numExperts: number, { numPhysicalExperts, numWorkers, numGroups, numNodes }: EplbSizes): void {
  const mustDivide = (whole: number, part: number, what: string): void => {
    if (part >= 1 && whole >= part && whole % part === 0) return;
    throw new ExpertmeshError(
      'invalid_argument',
      `EPLB needs ${what} divisible without remainder: ${String(whole)} by ${String(part)} is not`,
    );
  };
  mustDivide(numExperts, numGroups, 'logical experts by groups');
  mustDivide(numGroups, numNodes, 'groups by nodes');
  mustDivide(numWorkers, numNodes, 'workers by nodes');
  mustDivide(numPhysicalExperts, numWorkers, 'physical experts by workers');
  if (numPhysicalExperts >= numExperts) return;
  throw new ExpertmeshError(
    'invalid_argument',
    `${String(numPhysicalExperts)} physical experts are too few for ${String(numExperts)} logical ones`,
  );
}

const loadsPerReplica = (loads: Float32Array, counts: readonly number[]): Float32Array =>
  loads.map((load, expertId) => load / (counts[expertId] ?? 1));

const indicesHeaviestFirst = (weights: Float32Array): number[] =>
  Array.from(weights.keys()).sort((i, j) => (weights[j] ?? 0) - (weights[i] ?? 0));

function indexOfLargest(values: Float32Array): number {
  let largest = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] ?? 0) > (values[largest] ?? 0)) largest = i;
  return largest;
}
