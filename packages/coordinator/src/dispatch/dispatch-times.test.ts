import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { expect, it } from 'vitest';
import { type PartOutcome } from './combine.js';
import { dispatchTimes } from './dispatch-times.js';

const part = {
  workerIndex: 0,
  rowIndices: new Uint32Array(0),
  rowOffsets: new Uint32Array(1),
  expertIds: new Uint32Array(0),
  routingWeights: new Float32Array(0),
};
const moments = { startMs: 10, sentMs: 11, answeredMs: 20, endMs: 22 };

const answered = (answeredMs: number, queueMs: number, computeMs: number): PartOutcome => ({
  kind: 'answered',
  part,
  answeredMs,
  answer: {
    callId: 1,
    layerIndex: 0,
    placementVersion: 1,
    numRows: 0,
    hiddenSize: 1,
    rowDtype: 'fp32',
    numPairs: 0,
    error: undefined,
    queueUs: queueMs * 1000,
    computeUs: computeMs * 1000,
    numCallsTogether: 1,
    rows: new Float32Array(0),
  },
});

it('divides the time of one worker into queue, computing and the wire', () => {
  expect(dispatchTimes(moments, [answered(20, 1, 5)])).toEqual({
    serialiseUs: 1000,
    wireUs: 3000,
    waitUs: 1000,
    computeUs: 5000,
    combineUs: 2000,
  });
});

it('counts time in which several workers compute once, and time in which one computes after another twice', () => {
  expect(dispatchTimes(moments, [answered(20, 0, 4), answered(18, 0, 3)])).toMatchObject({
    computeUs: 5000,
    wireUs: 4000,
  });
  expect(dispatchTimes(moments, [answered(20, 0, 3), answered(14, 0, 2)])).toMatchObject({
    computeUs: 5000,
    wireUs: 4000,
  });
});

it('counts as waiting only what no worker computes in', () => {
  const times = dispatchTimes(moments, [answered(20, 5, 3), answered(16, 0, 3)]);
  expect(times).toMatchObject({ computeUs: 6000, waitUs: 2000, wireUs: 1000 });
});

it('counts nothing of a failed part, nor what a worker did before the last call was sent', () => {
  const failed: PartOutcome = { kind: 'failed', part, error: new ExpertmeshError('unavailable', 'gone') };
  expect(dispatchTimes(moments, [failed])).toMatchObject({ computeUs: 0, wireUs: 9000 });
  expect(dispatchTimes(moments, [answered(13, 0, 5)])).toMatchObject({ computeUs: 2000, wireUs: 7000 });
});
