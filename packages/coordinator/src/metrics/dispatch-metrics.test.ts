import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { type DispatchStats, type WorkerDispatchStats } from '../dispatch/dispatch-stats.js';
import { registerDispatchMetrics } from './dispatch-metrics.js';

const worker: WorkerDispatchStats = {
  workerId: 'a',
  address: 'a:9100',
  isConnected: true,
  numInFlight: 0,
  numCalls: 3,
  numFailedCalls: 0,
  numLateAnswers: 0,
  numConnectionsLost: 0,
  sentBytes: 300,
  receivedBytes: 200,
  numAnswers: 2,
  sumRoundTripMs: 1500,
  maxRoundTripMs: 1000,
};

it('shows what the dispatcher has counted by the time that it is asked', async () => {
  const registry = new Registry();
  const reported: DispatchStats[] = [];
  registerDispatchMetrics(registry, () => reported.at(-1));
  const before = await registry.metrics();
  expect(before).not.toContain('worker=');
  expect(before).toContain('expertmesh:placement_version 0');
  const failovers = [{ workerId: 'b', reason: 'not_held', numFailovers: 2 }] as const;
  reported.push({
    placementVersion: 7,
    workers: [worker],
    failovers,
    wrongAnswers: [{ workerId: 'b', kind: 'damaged', numAnswers: 4 }],
    quarantined: [{ workerId: 'b', because: 'wrong' }],
    hedges: [{ workerId: 'a', numHedges: 5, numWon: 3 }],
  });
  await registry.metrics();
  const text = await registry.metrics();
  expect(text).toContain('expertmesh:dispatch_bytes_total{worker="a",direction="sent"} 300');
  expect(text).toContain('expertmesh:dispatch_bytes_total{worker="a",direction="received"} 200');
  expect(text).toContain('expertmesh:dispatch_seconds_sum{worker="a"} 1.5');
  expect(text).toContain('expertmesh:dispatch_seconds_count{worker="a"} 2');
  expect(text).toContain('expertmesh:placement_version 7');
  expect(text).toContain('expertmesh:dispatch_failovers_total{worker="b",reason="not_held"} 2');
  expect(text).toContain('expertmesh:wrong_answers_total{worker="b",kind="damaged"} 4');
  expect(text).toContain('expertmesh:worker_quarantined{worker="b"} 1');
  expect(text).toContain('expertmesh:dispatch_hedges_total{worker="a",first="other"} 3');
  expect(text).toContain('expertmesh:dispatch_hedges_total{worker="a",first="worker"} 2');
});
