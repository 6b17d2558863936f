import { describe, expect, it } from 'vitest';
import { arriving, madeUpSteps, traceHeader } from '@expertmesh/test-kit/made-up-trace';
import { equalWorkers, EXPERT_BYTES, planCluster, planWorker } from '@expertmesh/test-kit/planning-cases';
import { contiguousPlacement, LOCAL_MEMBER, type Placement } from '../placement/placement.js';
import { replayTrace, type Trace } from './replay-trace.js';
import { newStep } from './trace-step.js';

const header = traceHeader(1, { numExperts: 4, topK: 2, hiddenSize: 8 });

/** Steps of one layer: the experts of each row. The first row of each decodes. */
function traceOf(steps: number[][][]): Trace {
  const made = steps.map((rows) => {
    const { step } = newStep(header, rows.length);
    step.expertIds.set(rows.flat());
    step.decodeBits[0] = 1;
    return step;
  });
  return { header, steps: () => arriving(made) };
}

function madeUp(seed: number, numRows: number): Trace {
  const ofTrace = traceHeader(4);
  const made = [...madeUpSteps(ofTrace, { seed, stepRows: [16], numRows })].map(({ step }) => step);
  return { header: ofTrace, steps: () => arriving(made) };
}

const twoWorkers = planCluster([planWorker('a', 4), planWorker('b', 4)], 1e-3);

describe('replayTrace', () => {
  it('costs each step by what was in it', async () => {
    // Experts 0 and 1 are on a, 2 and 3 on b.
    const { windows, ...total } = await replayTrace(
      traceOf([
        [
          [0, 1],
          [0, 1],
        ], // a: 4 pairs of 2 experts, 2 rows
        [
          [0, 2],
          [0, 3],
          [1, 3],
        ], // a: 3 pairs of 2 experts, 3 rows; b: 3 pairs of 2 experts, 3 rows
      ]),
      { cluster: twoWorkers },
    );
    expect(windows).toHaveLength(1);
    const [window] = windows;
    expect(window).toMatchObject({ numTokens: 5, numDecodeTokens: 2, numSteps: 2, tokenShares: [0.7, 0.3] });
    expect(window?.balancedness.mean).toBeCloseTo(5 / 7, 12);
    expect(window?.capacityWeightedBalancedness.mean).toBeCloseTo(5 / 7, 12);
    const first = 2 * 1e-4 + 4 * 2e-5 + 2 * 1e-3;
    const second = 2 * 1e-4 + 3 * 2e-5 + 6 * 1e-3;
    expect(window?.stepSeconds).toBeCloseTo((first + second) / 2, 12);
    expect(window?.workersPerToken).toBeCloseTo(8 / 5, 12);
    // 8 rows of 8 fp32 both ways with an offset, and 10 pairs of 8 bytes.
    expect(window?.wireBytes).toBe(8 * (2 * 32 + 4) + 10 * 8);
    expect(total).toMatchObject({ numTokens: 5, numMoves: 0, wireBytes: window?.wireBytes });
  });

  it('sends nothing over the wire to the coordinator itself', async () => {
    const cluster = planCluster([planWorker(LOCAL_MEMBER, 4), planWorker('b', 4)]);
    const { wireBytes } = await replayTrace(
      traceOf([
        [
          [0, 1],
          [1, 2],
        ],
      ]),
      { cluster },
    );
    expect(wireBytes).toBe(1 * (2 * 32 + 4) + 8);
  });

  it('measures windows at the ends of steps, and the rest', async () => {
    const step = [
      [0, 1],
      [2, 3],
      [1, 2],
    ];
    const { windows } = await replayTrace(traceOf([step, step, step]), { cluster: twoWorkers, windowTokens: 4 });
    expect(windows.map(({ numTokens }) => numTokens)).toEqual([6, 3]);
  });

  it('prefers a replica on a worker that the row needs, then the worker with fewer pairs', async () => {
    const start: Placement = {
      version: 7,
      numExperts: 4,
      workerIds: ['a', 'b'],
      replicas: new Map([[0, [[0], [0, 1], [1], [1]]]]),
    };
    const needed = await replayTrace(
      traceOf([
        [
          [0, 1],
          [2, 1],
        ],
      ]),
      { cluster: twoWorkers, start },
    );
    expect(needed.windows[0]).toMatchObject({ tokenShares: [0.5, 0.5], workersPerToken: 1, placementVersion: 7 });
  });

  it('plans from windows that lie before those it is used in, once or again and again', async () => {
    const cluster = planCluster(equalWorkers(4, 4 * 40));
    const trace = madeUp(1, 12_000);
    const stay = await replayTrace(trace, { cluster });
    const once = await replayTrace(trace, { cluster, policy: 'eplb' });
    const often = await replayTrace(trace, { cluster, policy: 'eplb', rebalanceEveryWindows: 4 });
    const moved = (replay: typeof stay): number[] => replay.windows.flatMap(({ moves }, i) => (moves ? [i] : []));
    expect([moved(stay), moved(once), moved(often)]).toEqual([[], [0], [3, 7]]);
    expect(once.windows[0]?.balancedness).toEqual(stay.windows[0]?.balancedness);
    expect(once.windows[1]?.balancedness.mean).toBeGreaterThan((stay.windows[1]?.balancedness.mean ?? 1) + 0.1);
    expect(once.numMoves).toBe(once.windows[0]?.moves?.numLoads);
    expect(once.bytesMoved).toBe(once.numMoves * EXPERT_BYTES);
    expect(often.placement.version).toBe(3);
  });

  it('gives the same every time', async () => {
    const options = { cluster: planCluster(equalWorkers(4, 4 * 40)), policy: 'balanced', windowTokens: 500 } as const;
    expect(await replayTrace(madeUp(2, 2000), options)).toEqual(await replayTrace(madeUp(2, 2000), options));
  });

  it('refuses a placement of another model, of another cluster, and one that lacks an expert', async () => {
    const trace = traceOf([[[0, 1]]]);
    const refused = (start: Placement): Promise<unknown> => replayTrace(trace, { cluster: twoWorkers, start });
    const invalid = { code: 'invalid_argument' };
    await expect(refused(contiguousPlacement(1, [0], 5, ['a', 'b']))).rejects.toMatchObject(invalid);
    await expect(refused(contiguousPlacement(1, [0], 4, ['a', 'c']))).rejects.toMatchObject(invalid);
    await expect(refused(contiguousPlacement(1, [1], 4, ['a', 'b']))).rejects.toMatchObject(invalid);
  });
});
