/**
 * How long a trace of 100,000 routed rows takes to replay, reading and unpacking included.
 *
 *   npm run build && npx tsx test/bench/routing-trace.ts
 *
 * --rows N  rows of the trace (100000)
 */
import { parseArgs } from 'node:util';
import { replayTrace, type Replay, type ReplayOptions } from '@expertmesh/shared/routing-trace/replay-trace';
import { TraceReader } from '@expertmesh/shared/routing-trace/trace-reader';
import { arriving, madeUpTrace, traceHeader } from '@expertmesh/test-kit/made-up-trace';
import { equalWorkers, planCluster } from '@expertmesh/test-kit/planning-cases';
import { print } from './harness/print.js';

const NUM_WORKERS = 8;
const STEP_ROWS = [16, 16, 16, 256];

const { values: flags } = parseArgs({ options: { rows: { type: 'string', default: '100000' } } });
const numRows = Number(flags.rows);

for (const numLayers of [4, 48]) {
  const bytes = await trace(numLayers);
  const numBytes = bytes.reduce((sum, piece) => sum + piece.length, 0);
  const geometry = `${String(numLayers)} layers x 128 experts, top-8`;
  print(`${String(numRows)} rows of ${geometry}: ${(numBytes / 1e6).toFixed(1)} MB`);
  const cluster = planCluster(equalWorkers(NUM_WORKERS, numLayers * 20), 1e-6);
  await time('contiguous', bytes, { cluster });
  await time('planned once, balanced, +8', bytes, { cluster, policy: 'balanced', plan: { redundantExperts: 8 } });
  await time('every 10 windows, eplb, +8', bytes, {
    cluster,
    policy: 'eplb',
    plan: { redundantExperts: 8 },
    rebalanceEveryWindows: 10,
  });
}

async function trace(numLayers: number): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  const routing = { seed: 1, stepRows: STEP_ROWS, numRows };
  for await (const piece of madeUpTrace(traceHeader(numLayers), routing)) pieces.push(piece);
  return pieces;
}

async function time(name: string, bytes: readonly Uint8Array[], options: ReplayOptions): Promise<void> {
  const startMs = performance.now();
  const replay: Replay = await replayTrace(await TraceReader.open(arriving(bytes)), options);
  const seconds = ((performance.now() - startMs) / 1e3).toFixed(2);
  const balance =
    `balancedness ${replay.meanBalancedness.toFixed(3)} mean, ` + `${replay.worstBalancedness.toFixed(3)} worst`;
  print(`  ${name.padEnd(28)} ${seconds} s: ${balance}, ${String(replay.numMoves)} moves`);
}
