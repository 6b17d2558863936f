import { RouteCounts } from '@expertmesh/shared/balance/route-counts';
import { describe, expect, it } from 'vitest';
import { type LayerRoutes } from '../dense/dense-runner.js';
import { RouteCounter, type RouteReport } from './route-counter.js';

const shape = { layerIndices: [0, 2], numExperts: 4, topK: 2 };

const routed = (expertIds: number[], probabilitySums: number[] = []): LayerRoutes => ({
  expertIds: Int32Array.from(expertIds),
  routingWeights: new Float32Array(expertIds.length),
  probabilitySums: Float32Array.from(probabilitySums),
});

function counting(): { counter: RouteCounter; reports: RouteReport[]; clock: { nowMs: number } } {
  const reports: RouteReport[] = [];
  const clock = { nowMs: 0 };
  const report = (counted: RouteReport): void => {
    reports.push({ ...counted, counts: structuredClone(counted.counts, { transfer: [counted.counts] }) });
  };
  return { counter: new RouteCounter({ shape, report, nowMs: () => clock.nowMs }), reports, clock };
}

const read = (report: RouteReport | undefined): RouteCounts => new RouteCounts(shape, report?.counts);

describe('RouteCounter', () => {
  it('reports after a second what was routed and to whom', () => {
    const { counter, reports, clock } = counting();
    counter.observe(0, routed([0, 1, 1, 2], [0.5, 1, 0.25, 0.25]));
    counter.observeParts(
      0,
      ['a', 'b'],
      [
        {
          workerIndex: 1,
          rowIndices: Uint32Array.of(0, 1),
          rowOffsets: Uint32Array.of(0, 2, 3),
          expertIds: Uint32Array.of(0, 1, 1),
          routingWeights: new Float32Array(3),
        },
      ],
    );
    counter.observe(2, routed([3, 2, 3, 2], [0, 0, 1, 1]));
    counter.reportIfDue();
    expect(reports).toHaveLength(0);
    clock.nowMs = 1000;
    counter.reportIfDue();
    const counts = read(reports[0]);
    expect([counts.numRows, counts.numSteps]).toEqual([2, 1]);
    expect([...counts.tokens]).toEqual([1, 2, 1, 0, 0, 0, 2, 2]);
    expect([...counts.activeSteps]).toEqual([1, 1, 1, 0, 0, 0, 1, 1]);
    expect([...counts.probabilitySums]).toEqual([0.5, 1, 0.25, 0.25, 0, 0, 1, 1]);
    expect([...(reports[0]?.workers ?? [])]).toEqual([
      ['b', { tokens: Float64Array.of(3, 0), rows: Float64Array.of(2, 0) }],
    ]);
  });

  it('reports sooner when many rows came, and not at all when none did', () => {
    const { counter, reports, clock } = counting();
    counter.observe(0, routed(new Array<number[]>(250).fill([0, 1]).flat()));
    counter.reportIfDue();
    expect(read(reports[0]).numRows).toBe(250);
    clock.nowMs = 5000;
    counter.reportIfDue();
    expect(reports).toHaveLength(1);
  });

  it('loses nothing while the other thread is slow', () => {
    const { counter, reports, clock } = counting();
    const step = (): void => {
      counter.observe(0, routed([0, 1]));
      clock.nowMs += 1000;
      counter.reportIfDue();
    };
    for (let i = 0; i < 5; i++) step();
    expect(reports).toHaveLength(1);
    counter.takeBack(new RouteCounts(shape).buffer);
    step();
    expect(reports.map((report) => read(report).numRows)).toEqual([1, 5]);
  });
});
