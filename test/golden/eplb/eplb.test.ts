import { readFileSync } from 'node:fs';
import { rebalanceExperts } from '@expertmesh/shared/placement/eplb';
import { describe, expect, it } from 'vitest';

interface EplbGolden {
  readonly name: string;
  readonly loads: readonly number[][];
  readonly numPhysicalExperts: number;
  readonly numGroups: number;
  readonly numNodes: number;
  readonly numWorkers: number;
  readonly physicalToLogical: readonly number[][];
  /** Padded with -1, as EPLB writes it. */
  readonly logicalToPhysical: readonly number[][][];
  readonly replicaCounts: readonly number[][];
}

const goldens = JSON.parse(readFileSync(new URL('eplb-golden.json', import.meta.url), 'utf8')) as EplbGolden[];

describe('rebalanceExperts', () => {
  it.each(goldens)('answers as deepseek-ai/EPLB: $name', (golden) => {
    const { loads, numPhysicalExperts, numGroups, numNodes, numWorkers } = golden;
    const answer = rebalanceExperts(loads, numPhysicalExperts, numGroups, numNodes, numWorkers);
    expect(answer.physicalToLogical).toEqual(golden.physicalToLogical);
    expect(answer.replicaCounts).toEqual(golden.replicaCounts);
    expect(answer.logicalToPhysical).toEqual(
      golden.logicalToPhysical.map((layer) => layer.map((physicalIds) => physicalIds.filter((id) => id >= 0))),
    );
  });
});
