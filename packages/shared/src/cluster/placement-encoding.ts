import { z } from 'zod';
import { type Placement } from '../placement/placement.js';

/**
 * A placement as JSON. Layers of the same replicas stand together; their experts are one text, in order and separated
 * by spaces, each the indices of its workers, separated by commas: "0 0,2 1" places expert 1 on the workers 0 and 2.
 * That is a quarter of nested arrays.
 */
export interface EncodedPlacement {
  readonly version: number;
  readonly numExperts: number;
  readonly workerIds: readonly string[];
  readonly replicas: readonly { readonly layers: readonly number[]; readonly experts: string }[];
}

export function encodePlacement({ version, numExperts, workerIds, replicas }: Placement): EncodedPlacement {
  const layersOf = new Map<string, number[]>();
  for (const [layerIndex, layer] of replicas) {
    const experts = layer.map((workers) => workers.join(',')).join(' ');
    const layers = layersOf.get(experts);
    if (layers === undefined) layersOf.set(experts, [layerIndex]);
    else layers.push(layerIndex);
  }
  return {
    version,
    numExperts,
    workerIds,
    replicas: [...layersOf].map(([experts, layers]) => ({ layers, experts })),
  };
}

const MAX_EXPERTS = 65_536;
const MAX_WORKERS = 4096;

/** Checks everything that Placement says of itself, so that what reads one need not. */
export const placementSchema: z.ZodType<Placement> = z
  .object({
    version: z.number().int().min(1),
    numExperts: z.number().int().min(1).max(MAX_EXPERTS),
    workerIds: z.array(z.string().min(1).max(256)).min(1).max(MAX_WORKERS),
    replicas: z.array(z.object({ layers: z.array(z.number().int().min(0)).min(1), experts: z.string() })).min(1),
  })
  .transform((encoded, context): Placement => {
    const replicas = new Map<number, number[][]>();
    for (const { layers, experts } of encoded.replicas)
      for (const layerIndex of layers) {
        if (replicas.has(layerIndex)) context.addIssue(`layer ${String(layerIndex)} is there twice`);
        replicas.set(layerIndex, parseLayer(experts));
      }
    const placement: Placement = { ...encoded, replicas: new Map([...replicas].sort(([a], [b]) => a - b)) };
    const fault = faultOf(placement);
    if (fault !== undefined) context.addIssue(fault);
    return placement;
  });

const parseLayer = (experts: string): number[][] =>
  experts.split(' ').map((workers) => workers.split(',').map(parseIndex));

const parseIndex = (text: string): number => (/^\d{1,5}$/.test(text) ? Number(text) : NaN);

function faultOf({ numExperts, workerIds, replicas }: Placement): string | undefined {
  if (new Set(workerIds).size !== workerIds.length) return 'a worker is there twice';
  for (const [layerIndex, layer] of replicas) {
    const layerName = `layer ${String(layerIndex)}`;
    if (layer.length !== numExperts)
      return `${layerName} has ${String(layer.length)} experts instead of ${String(numExperts)}`;
    const expertId = layer.findIndex((workers) => !isValidReplicaSet(workers, workerIds.length));
    if (expertId >= 0) return `expert ${String(expertId)} of ${layerName} has no list of distinct workers, ascending`;
  }
  return undefined;
}

const isValidReplicaSet = (workers: readonly number[], numWorkers: number): boolean =>
  workers.every((worker, position) => worker < numWorkers && worker > (workers[position - 1] ?? -1));
