import { stepsOf } from '@expertmesh/shared/routing-trace/trace-step';
import { TraceReader } from '@expertmesh/shared/routing-trace/trace-reader';
import { type ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { describe, expect, it } from 'vitest';
import { spec } from '@expertmesh/test-kit/counting-forward';
import { arriving } from '@expertmesh/test-kit/made-up-trace';
import { type LayerRoutes } from '../dense/dense-runner.js';
import { type Chunk } from '../engine/forward.js';
import { traceChunks, traceHeaderOf } from './route-recording.js';
import { TraceRecorder, type RecordedSteps } from './trace-recorder.js';

const shape = { layerIndices: [0, 1], numExperts: 4, topK: 2 };

const chunk = (numTokens: number, numLogits: number): Chunk => ({
  cache: { length: 0, blockIds: new Int32Array() },
  tokenIds: new Array<number>(numTokens).fill(0),
  numLogits,
});

const routed = (expertIds: number[]): LayerRoutes => ({
  expertIds: Int32Array.from(expertIds),
  routingWeights: new Float32Array(expertIds.length),
  probabilitySums: new Float32Array(),
});

class Recorded {
  readonly steps: RecordedSteps[] = [];
  readonly ends: (ExpertmeshError | undefined)[] = [];
  readonly clock = { nowMs: 0 };
  readonly recorder = new TraceRecorder(shape, () => this.clock.nowMs);

  start(maxRows = Infinity, id = 1): void {
    this.recorder.start(id, maxRows, {
      steps: (steps) => this.steps.push(steps),
      end: (error) => this.ends.push(error),
    });
  }

  pass(expertIds: number[], chunks = [chunk(expertIds.length / 2, 1)]): void {
    for (const layerIndex of shape.layerIndices) this.recorder.observe(layerIndex, routed(expertIds), chunks);
  }

  get numRows(): number {
    return this.steps.reduce((sum, { numRows }) => sum + numRows, 0);
  }
}

describe('TraceRecorder', () => {
  it('records nothing before it is started and after it is stopped', () => {
    const recorded = new Recorded();
    recorded.pass([0, 1]);
    recorded.start();
    recorded.pass([2, 3]);
    recorded.recorder.stop(1);
    recorded.pass([0, 1]);
    expect(recorded.numRows).toBe(1);
    expect(recorded.ends).toEqual([undefined]);
  });

  it('keeps apart passes that go through the layers side by side, and which rows decode', () => {
    const recorded = new Recorded();
    recorded.start();
    const first = [chunk(1, 1), chunk(2, 2), chunk(3, 1)];
    const second = [chunk(2, 0)];
    const { recorder } = recorded;
    recorder.observe(0, routed([0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]), first);
    recorder.observe(0, routed([2, 3, 2, 3]), second);
    recorder.observe(1, routed([1, 2, 1, 2]), second);
    recorder.observe(1, routed([3, 0, 3, 0, 3, 0, 3, 0, 3, 0, 3, 0]), first);
    recorder.stop(1);
    const steps = recorded.steps.flatMap(({ content }) => [...stepsOf(shape, content)]);
    expect(steps.map(({ numRows, decodeBits, expertIds }) => [numRows, decodeBits[0], [...expertIds]])).toEqual([
      [2, 0, [2, 3, 2, 3, 1, 2, 1, 2]],
      [6, 0b111, [...new Array<number[]>(6).fill([0, 1]).flat(), ...new Array<number[]>(6).fill([3, 0]).flat()]],
    ]);
  });

  it('leaves out a pass that lost rows on the way, and goes on', () => {
    const recorded = new Recorded();
    recorded.start();
    const whole = [chunk(1, 1), chunk(1, 1)];
    recorded.recorder.observe(0, routed([0, 1, 2, 3]), whole);
    recorded.recorder.observe(1, routed([0, 1]), whole.slice(1));
    recorded.pass([2, 3]);
    recorded.recorder.stop(1);
    expect(recorded.numRows).toBe(1);
  });

  it('ends by itself after the rows asked for', () => {
    const recorded = new Recorded();
    recorded.start(3);
    for (let i = 0; i < 5; i++) recorded.pass([0, 1, 2, 3]);
    expect(recorded.numRows).toBe(4);
    expect(recorded.ends).toEqual([undefined]);
  });

  it('hands over what has waited for a second', () => {
    const recorded = new Recorded();
    recorded.start();
    recorded.pass([0, 1]);
    recorded.recorder.flushIfDue();
    expect(recorded.steps).toHaveLength(0);
    recorded.clock.nowMs = 1000;
    recorded.recorder.flushIfDue();
    expect(recorded.numRows).toBe(1);
  });

  it('ends with an error when its reader is too slow, and not when the reader keeps up', () => {
    const rows = new Array<number>(2 * 100_000).fill(0);
    for (const reads of [true, false]) {
      const recorded = new Recorded();
      recorded.start();
      for (let i = 0; i < 200; i++) {
        recorded.pass(rows);
        const last = recorded.steps.at(-1);
        if (reads && last !== undefined) recorded.recorder.acknowledge(1, last.content.length);
        recorded.steps.length = 0;
      }
      if (reads) expect(recorded.ends).toEqual([]);
      else expect(recorded.ends).toMatchObject([{ code: 'resource_exhausted', message: /too slow/ }]);
    }
  });

  it('refuses a second recording, and does not let its end touch the first', () => {
    const recorded = new Recorded();
    recorded.start(Infinity, 1);
    recorded.start(Infinity, 2);
    expect(recorded.ends).toMatchObject([{ code: 'resource_exhausted' }]);
    recorded.recorder.stop(2);
    recorded.pass([0, 1]);
    recorded.recorder.stop(1);
    expect(recorded.numRows).toBe(1);
  });

  it('makes a trace that can be read', async () => {
    const recorded = new Recorded();
    const header = traceHeaderOf({ ...spec, numLayers: 2, layerKinds: ['moe', 'moe'] }, 'store');
    recorded.start();
    for (const ids of [
      [0, 1],
      [3, 2, 1, 0],
    ])
      recorded.pass(ids);
    recorded.recorder.stop(1);
    async function* bytes(): AsyncGenerator<Uint8Array> {
      for await (const { data } of traceChunks(header, arriving(recorded.steps))) yield data;
    }
    const reader = await TraceReader.open(bytes());
    const read: number[][] = [];
    for await (const { expertIds } of reader.steps()) read.push([...expertIds]);
    expect(reader.header).toMatchObject({ storeId: 'store', ...shape });
    expect(read).toEqual([
      [0, 1, 0, 1],
      [3, 2, 1, 0, 3, 2, 1, 0],
    ]);
  });
});
