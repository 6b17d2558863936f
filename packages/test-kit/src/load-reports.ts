import { type ExpertLoadMonitorOptions } from '@expertmesh/coordinator/balance/expert-load-monitor';
import { type RouteReport } from '@expertmesh/coordinator/balance/route-counter';
import { RouteCounts, RouteTally } from '@expertmesh/shared/balance/route-counts';
import { EmbeddedControlPlane } from '@expertmesh/shared/control-plane/embedded-control-plane';
import { contiguousPlacement } from '@expertmesh/shared/placement/placement';
import { createLogger, type Logger } from '@expertmesh/shared/process/logger';
import { DrivenClock } from './driven-clock.js';

const shape = { layerIndices: [0, 1], numExperts: 4, topK: 2 };
const placement = contiguousPlacement(3, shape.layerIndices, 4, ['a', 'b']);

/** Rows that all have these experts, in both layers; 0 and 1 are on a, 2 and 3 on b. */
export function report(numRows: number, experts: readonly [number, number] = [0, 1]): RouteReport {
  const [counts, tally] = [new RouteCounts(shape), new RouteTally(shape)];
  const expertIds = Int32Array.from(Array.from({ length: numRows }, () => [...experts]).flat());
  for (const layer of [0, 1]) tally.add(counts, layer, expertIds);
  counts.addSteps(1, numRows);
  const of = (worker: number): number => numRows * experts.filter((expertId) => expertId >> 1 === worker).length;
  const both = (count: number): Float64Array => Float64Array.of(count, count);
  const workers = new Map(
    ['a', 'b'].map((id, w) => [id, { tokens: both(of(w)), rows: both(of(w) > 0 ? numRows : 0) }]),
  );
  return { counts: counts.buffer, workers };
}

/** What was warned of. */
export class Warnings {
  readonly lines: string[] = [];
  readonly logger: Logger = createLogger({
    name: 'test',
    level: 'warn',
    destination: { write: (line) => void this.lines.push(line) },
  });
}

export const silent = createLogger({ name: 'test', level: 'silent' });

/** Of a monitor alone on a control plane of its own, with windows of 100 rows. */
export function monitorOptions(overrides: Partial<ExpertLoadMonitorOptions> = {}): ExpertLoadMonitorOptions {
  return {
    shape,
    storeId: 'store',
    bootId: 'boot-1',
    controlPlane: new EmbeddedControlPlane(silent),
    windowTokens: 100,
    placement: () => placement,
    logger: silent,
    clock: new DrivenClock(),
    wallMs: () => 1234,
    ...overrides,
  };
}

/** When what was published has been heard. */
export function delivered(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
