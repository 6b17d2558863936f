import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expertLayout } from '@expertmesh/shared/expert-store/blob-layout';
import { expertBlobPath } from '@expertmesh/shared/expert-store/blob-path';
import { encodeFp16 } from '@expertmesh/shared/expert-store/half-precision';
import { parseModelSpec } from '@expertmesh/shared/model/model-spec';
import { buildExpertShardGraph } from '@expertmesh/shared/onnx/expert-graph';
import { createOnnxSession, type OnnxSession } from '@expertmesh/shared/onnx/session';
import { type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';
import { localIndices } from './local-indices.js';
import { OnnxLayerRunner } from './onnx-layer-runner.js';
import { RunnerScratch } from './runner-scratch.js';

const HIDDEN = 16;
const INTERMEDIATE = 8;
const NUM_EXPERTS = 6;
const LAYER = 1;
const spec = parseModelSpec({
  model_type: 'qwen3_moe',
  hidden_size: HIDDEN,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  num_experts: NUM_EXPERTS,
  num_experts_per_tok: 2,
  moe_intermediate_size: INTERMEDIATE,
  intermediate_size: 32,
  vocab_size: 10,
  max_position_embeddings: 64,
});
const quantisation = { bits: 32 } as const;

interface Expert {
  /** [2 * INTERMEDIATE, HIDDEN], gate rows first. */
  readonly gateUp: Float32Array;
  /** [HIDDEN, INTERMEDIATE] */
  readonly down: Float32Array;
}

let dir: string;
let experts: Expert[];

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'expertmesh-runner-'));
  const random = randomFloats(1);
  experts = Array.from({ length: NUM_EXPERTS }, (_, expertId) => {
    const expert = { gateUp: random(2 * INTERMEDIATE * HIDDEN), down: random(HIDDEN * INTERMEDIATE) };
    writeBlob(expertId, expert);
    return expert;
  });
});

afterAll(() => {
  rmSync(dir, { recursive: true });
});

describe('OnnxLayerRunner', () => {
  it('sums the weighted experts of every row', async () => {
    const call = callOf(
      2,
      [
        [1, 0.25],
        [4, 0.75],
      ],
      [[2, 1]],
      [
        [4, 0.5],
        [2, -2],
      ],
    );
    await using runner = await openRunner([1, 2, 4]);
    const [sums] = await runner.run([call]);
    expectClose(sums, expectedSums(call), 1e-5);
  });

  it('answers each call as if it were alone when it shares a batch', async () => {
    const calls = [
      callOf(
        3,
        [
          [1, 0.25],
          [4, 0.75],
        ],
        [[2, 1]],
      ),
      callOf(4, [
        [4, 0.5],
        [1, 0.5],
      ]),
      callOf(5, [
        [2, 0.1],
        [1, 0.2],
        [4, 0.7],
      ]),
    ];
    await using runner = await openRunner([1, 2, 4]);
    const together = (await runner.run(calls)).map((sums) => sums.slice());
    for (const [index, call] of calls.entries()) {
      const [alone] = await runner.run([call]);
      expectClose(together[index], alone, 1e-6);
    }
  });

  it('gives the same sums when a batch takes several runs, also in the middle of an expert', async () => {
    const call = callOf(
      6,
      [
        [1, 0.25],
        [4, 0.75],
      ],
      [[1, 1]],
      [
        [4, 0.5],
        [1, -2],
        [2, 3],
      ],
      [
        [1, 1],
        [2, 1],
      ],
    );
    await using whole = await openRunner([1, 2, 4]);
    const expected = (await whole.run([call]))[0]?.slice();
    for (const maxPairsPerRun of [1, 2, 3, 7]) {
      await using inParts = await openRunner([1, 2, 4], maxPairsPerRun);
      expectClose((await inParts.run([call]))[0], expected, 1e-6);
    }
  });

  it('gives the same sums when the experts are spread over several sessions, some of them idle', async () => {
    const call = callOf(
      7,
      [
        [0, 0.25],
        [4, 0.75],
      ],
      [[5, 1]],
      [
        [4, 0.5],
        [1, 2],
      ],
    );
    for (const expertsPerSession of [1, 2, 4]) {
      await using runner = await openRunner([0, 1, 2, 3, 4, 5], 1000, expertsPerSession);
      expectClose((await runner.run([call]))[0], expectedSums(call), 1e-5);
    }
  });

  it('computes fp16 rows as the fp32 values that they stand for', async () => {
    const fp32 = callOf(7, [[0, 1]], [[5, 0.5]]);
    const half = new Uint16Array(fp32.rows.length);
    encodeFp16(fp32.rows as Float32Array, half);
    await using runner = await openRunner([0, 5]);
    const [sums] = await runner.run([{ ...fp32, rowDtype: 'fp16', rows: half }]);
    expectClose(sums, expectedSums(fp32), 5e-3);
  });

  it('gives zeros to rows without pairs, and keeps nothing of the batch before', async () => {
    await using runner = await openRunner([3]);
    await runner.run([callOf(8, [[3, 5]], [[3, 5]])]);
    const [sums] = await runner.run([callOf(9, [], [])]);
    expect(sums).toEqual(new Float32Array(2 * HIDDEN));
  });
});

async function openRunner(
  expertIds: number[],
  maxPairsPerRun = 1000,
  expertsPerSession = expertIds.length,
): Promise<OnnxLayerRunner & AsyncDisposable> {
  const sessions: OnnxSession[] = [];
  for (let first = 0; first < expertIds.length; first += expertsPerSession) {
    const graph = buildExpertShardGraph(spec, quantisation, LAYER, expertIds.slice(first, first + expertsPerSession));
    sessions.push(await createOnnxSession(graph, { weightsDir: dir, numThreads: 1 }));
  }
  const runner = new OnnxLayerRunner({
    sessions,
    expertsPerSession,
    hiddenSize: HIDDEN,
    numLocalExperts: expertIds.length,
    localIndices: localIndices(expertIds, NUM_EXPERTS),
    scratch: new RunnerScratch(),
    maxPairsPerRun,
  });
  return Object.assign(runner, { [Symbol.asyncDispose]: () => runner.close() });
}

/** A call with random rows; row r has the given [expert, weight] pairs. */
function callOf(
  seed: number,
  ...pairsOfRows: (readonly (readonly [expertId: number, weight: number])[])[]
): DispatchCall {
  const pairs = pairsOfRows.flat();
  let end = 0;
  return {
    callId: seed,
    layerIndex: LAYER,
    placementVersion: 1,
    storeId: '',
    numRows: pairsOfRows.length,
    hiddenSize: HIDDEN,
    rowDtype: 'fp32',
    rowOffsets: Uint32Array.of(0, ...pairsOfRows.map((row) => (end += row.length))),
    expertIds: Uint32Array.from(pairs, ([expertId]) => expertId),
    routingWeights: Float32Array.from(pairs, ([, weight]) => weight),
    rows: randomFloats(seed)(pairsOfRows.length * HIDDEN),
  };
}

function expectedSums(call: DispatchCall): Float32Array {
  const sums = new Float32Array(call.rows.length);
  for (let rowIndex = 0; rowIndex < call.numRows; rowIndex += 1) {
    const row = Array.from(call.rows.subarray(rowIndex * HIDDEN, (rowIndex + 1) * HIDDEN));
    for (let pair = call.rowOffsets[rowIndex] ?? 0; pair < (call.rowOffsets[rowIndex + 1] ?? 0); pair += 1) {
      const output = expertOutput(experts[call.expertIds[pair] ?? 0], row);
      for (const [i, value] of output.entries())
        sums[rowIndex * HIDDEN + i] = (sums[rowIndex * HIDDEN + i] ?? 0) + (call.routingWeights[pair] ?? 0) * value;
    }
  }
  return sums;
}

/** down(silu(gate(row)) * up(row)) in float64. */
function expertOutput(expert: Expert | undefined, row: readonly number[]): number[] {
  if (expert === undefined) throw new RangeError('no such expert');
  const gateUp = timesTransposed(expert.gateUp, row);
  const hidden = Array.from({ length: INTERMEDIATE }, (_, i) => {
    const gate = gateUp[i] ?? 0;
    return (gate / (1 + Math.exp(-gate))) * (gateUp[INTERMEDIATE + i] ?? 0);
  });
  return timesTransposed(expert.down, hidden);
}

const timesTransposed = (matrix: Float32Array, x: readonly number[]): number[] =>
  Array.from({ length: matrix.length / x.length }, (_, out) =>
    x.reduce((sum, value, i) => sum + value * (matrix[out * x.length + i] ?? 0), 0),
  );

function writeBlob(expertId: number, { gateUp, down }: Expert): void {
  const layout = expertLayout(spec, quantisation);
  const bytes = new Uint8Array(layout.sizeBytes);
  const data: Record<string, Float32Array> = { gate_up: gateUp, down };
  for (const { name, offsetBytes } of layout.tensors) {
    const values = data[name];
    if (values === undefined) throw new RangeError(`no data for ${name}`);
    bytes.set(new Uint8Array(values.buffer), offsetBytes);
  }
  const path = join(dir, expertBlobPath(LAYER, expertId));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}

/** Values in [-1, 1) from a linear congruential generator, so that a failure can be repeated. */
function randomFloats(seed: number): (length: number) => Float32Array {
  let state = seed;
  return (length) =>
    Float32Array.from({ length }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 31 - 1;
    });
}

function expectClose(actual: Float32Array | undefined, expected: Float32Array | undefined, tolerance: number): void {
  expect(actual?.length).toBe(expected?.length);
  const largest = Math.max(...(actual ?? []).map((value, i) => Math.abs(value - (expected?.[i] ?? NaN))));
  expect(largest).toBeLessThan(tolerance);
}
