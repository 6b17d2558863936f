import { describe, expect, it } from 'vitest';
import { decodeFp16, encodeFp16 } from '@expertmesh/shared/expert-store/half-precision';
import { decodeDispatchAnswer } from '@expertmesh/shared/rpc/dispatch-codec';
import { GRPC_PREFIX_BYTES } from '@expertmesh/shared/rpc/grpc-stream/grpc-frame';
import { type DispatchAnswer, type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';
import { CallExecutor } from './call-executor.js';
import { LoadedLayer } from '../shards/loaded-layer.js';
import { WorkerCounters } from './worker-counters.js';

const NEVER = new AbortController().signal;

const callOf = (callId: number, layerIndex: number, value: number): DispatchCall => ({
  callId,
  layerIndex,
  placementVersion: 1,
  numRows: 1,
  storeId: '0123456789abcdef',
  hiddenSize: 2,
  rowDtype: 'fp32',
  rowOffsets: Uint32Array.of(0, 1),
  expertIds: Uint32Array.of(0),
  routingWeights: Float32Array.of(1),
  rows: Float32Array.of(value, -value),
});

/**
 * An executor over layers whose runners double the rows; layer 7's runner fails. Runs wait for `gate` where one is
 * given.
 */
function openExecutor({ maxQueuedCalls = 10, maxQueuedBytes = 1e6, gate = Promise.resolve() } = {}) {
  const runs: number[][] = [];
  const scratch = new Float32Array(64);
  const run = async (calls: readonly DispatchCall[]): Promise<Float32Array[]> => {
    runs.push(calls.map(({ callId }) => callId));
    await gate;
    if (calls[0]?.layerIndex === 7) throw new Error('out of memory');
    // As the real runner: views of memory that the next run uses again.
    return calls.map((call, index) => {
      const view = scratch.subarray(2 * index, 2 * index + 2);
      const rows = call.rows instanceof Float32Array ? call.rows : new Float32Array(2);
      if (call.rows instanceof Uint16Array) decodeFp16(call.rows, rows);
      for (const [i, value] of rows.entries()) view[i] = 2 * value;
      return view;
    });
  };
  const layers = [0, 1, 7].map((layerIndex) => {
    const runner = { run, close: () => Promise.resolve() };
    return [layerIndex, new LoadedLayer({ layerIndex, expertIds: [0] }, 4, runner)] as const;
  });
  const served = { storeId: '0123456789abcdef', hiddenSize: 2, layers: new Map(layers) };
  const counters = new WorkerCounters();
  const executor = new CallExecutor({
    topK: 8,
    served: () => served,
    counters,
    queueBounds: { maxCalls: maxQueuedCalls, maxBytes: maxQueuedBytes },
    maxBatchRows: 100,
  });
  const answers: DispatchAnswer[] = [];
  const submit = (call: DispatchCall, owner: object = executor, sizeBytes = 100): void => {
    executor.submit({ kind: 'call', call, sizeBytes }, owner, (answer) =>
      answers.push(decodeDispatchAnswer(answer.subarray(GRPC_PREFIX_BYTES))),
    );
  };
  return { executor, counters, runs, answers, submit };
}

const answeredIds = (answers: readonly DispatchAnswer[]) => answers.map(({ callId }) => callId);

describe('CallExecutor', () => {
  it('computes the calls of one layer together and answers each with its own rows', async () => {
    const { executor, runs, answers, submit } = openExecutor();
    submit(callOf(1, 0, 1));
    submit(callOf(2, 1, 10));
    submit(callOf(3, 0, 100));
    await executor.drain(NEVER);
    expect(runs).toEqual([[1, 3], [2]]);
    expect(
      answers.map(({ callId, rows, numPairs, numCallsTogether, error }) => [
        callId,
        [...rows],
        numPairs,
        numCallsTogether,
        error,
      ]),
    ).toEqual([
      [1, [2, -2], 1, 2, undefined],
      [3, [200, -200], 1, 2, undefined],
      [2, [20, -20], 1, 1, undefined],
    ]);
  });

  it('answers fp16 rows in fp16', async () => {
    const { executor, answers, submit } = openExecutor();
    const rows = new Uint16Array(2);
    encodeFp16(Float32Array.of(1.5, -0.25), rows);
    submit({ ...callOf(1, 0, 0), rowDtype: 'fp16', rows });
    await executor.drain(NEVER);
    const sums = new Float32Array(2);
    decodeFp16(answers[0]?.rows as Uint16Array, sums);
    expect([answers[0]?.rowDtype, ...sums]).toEqual(['fp16', 3, -0.5]);
  });

  it('answers sums that are too large with an error of their own, and the calls beside them', async () => {
    const { executor, answers, submit } = openExecutor();
    const rows = new Uint16Array(2);
    encodeFp16(Float32Array.of(40_000, 1), rows);
    submit({ ...callOf(1, 0, 0), rowDtype: 'fp16', rows });
    submit(callOf(2, 0, 40_000));
    submit(callOf(3, 1, 3e38));
    await executor.drain(NEVER);
    expect(answers).toMatchObject([
      {
        callId: 1,
        error: { code: 'out_of_range', message: expect.stringMatching(/fp16.*--wire-dtype fp32/) as string },
      },
      { callId: 2, error: undefined },
      { callId: 3, error: { code: 'out_of_range' } },
    ]);
  });

  it('answers a wrong call with an error and computes the others', async () => {
    const { executor, counters, answers, submit } = openExecutor();
    submit({ ...callOf(1, 0, 1), expertIds: Uint32Array.of(3) });
    submit({ ...callOf(2, 0, 1), routingWeights: Float32Array.of(NaN) });
    submit(callOf(3, 0, 1));
    await executor.drain(NEVER);
    expect(answers).toMatchObject([
      { callId: 1, error: { code: 'failed_precondition', missingExpertIds: [3] } },
      { callId: 2, error: { code: 'invalid_argument' } },
      { callId: 3, error: undefined },
    ]);
    expect([counters.get('numCalls'), counters.get('numFailedCalls'), counters.get('numPairs')]).toEqual([3, 2, 1]);
  });

  it('echoes the placement version and says what runs cost once there were enough', async () => {
    const { executor, counters, answers, submit } = openExecutor();
    for (let i = 1; i <= 64; i += 1) {
      submit({ ...callOf(i, 0, 1), placementVersion: i });
      await expect.poll(() => answers.length, { interval: 1 }).toBe(i);
    }
    await executor.drain(NEVER);
    expect(answers.map(({ placementVersion }) => placementVersion)).toEqual(
      Array.from({ length: 64 }, (_, i) => i + 1),
    );
    expect(counters.get('secondsPerActiveExpert')).toBeGreaterThan(0);
    expect(counters.get('secondsPerToken')).toBe(0);
  });

  it('fails the calls of a run that fails, and goes on with the next', async () => {
    const { executor, answers, submit } = openExecutor();
    submit(callOf(1, 7, 1));
    submit(callOf(2, 7, 1));
    submit(callOf(3, 0, 1));
    await executor.drain(NEVER);
    expect(answers.map(({ callId, error }) => [callId, error?.message])).toEqual([
      [1, 'out of memory'],
      [2, 'out of memory'],
      [3, undefined],
    ]);
  });

  it('refuses a call when too many wait', () => {
    const { answers, submit } = openExecutor({ maxQueuedCalls: 1 });
    submit(callOf(1, 0, 1));
    submit(callOf(2, 0, 1));
    expect(answers).toMatchObject([
      { callId: 2, error: { code: 'resource_exhausted', message: expect.stringMatching(/^1 calls wait/) as string } },
    ]);
  });

  it('refuses a call when the messages that wait hold too much memory, whatever their rows have', () => {
    const { executor, answers, submit } = openExecutor({ maxQueuedBytes: 1000 });
    submit(callOf(1, 0, 1), executor, 600);
    submit(callOf(2, 0, 1), executor, 401);
    submit(callOf(3, 0, 1), executor, 400);
    expect(answers).toMatchObject([{ callId: 2, error: { code: 'resource_exhausted' } }]);
  });

  it('drops the waiting calls of a stream that is gone', async () => {
    const { executor, counters, runs, answers, submit } = openExecutor();
    const gone = {};
    submit(callOf(1, 0, 1), gone);
    submit(callOf(2, 0, 1));
    executor.forget(gone);
    expect(counters.get('numQueuedCalls')).toBe(1);
    await executor.drain(NEVER);
    expect(runs).toEqual([[2]]);
    expect(answeredIds(answers)).toEqual([2]);
  });

  it('refuses new calls while it drains and finishes those that wait', async () => {
    const { executor, answers, submit } = openExecutor();
    submit(callOf(1, 0, 1));
    submit(callOf(2, 1, 1));
    const drained = executor.drain(NEVER);
    submit(callOf(3, 0, 1));
    expect(await drained).toBe(0);
    expect(answers).toMatchObject([
      { callId: 3, error: { code: 'unavailable', message: expect.stringContaining('draining') as string } },
      { callId: 1, error: undefined },
      { callId: 2, error: undefined },
    ]);
  });

  it('fails the calls that wait when the time to drain is over, and finishes the one that is computed', async () => {
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const { executor, runs, answers, submit } = openExecutor({ gate });
    submit(callOf(1, 0, 1));
    submit(callOf(2, 1, 1));
    await expect.poll(() => runs.length).toBe(1);
    const abort = new AbortController();
    const drained = executor.drain(abort.signal);
    abort.abort();
    open();
    expect(await drained).toBe(1);
    expect(answers).toMatchObject([
      { callId: 2, error: { code: 'unavailable' } },
      { callId: 1, error: undefined },
    ]);
  });
});
