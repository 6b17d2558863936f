import { expect, it } from 'vitest';
import { predictDecode } from './prediction.js';

const model = { numLayers: 94, numExperts: 128, topK: 8, hiddenSize: 4096 };

it('adds up layers and head as the formula says', () => {
  const layer = { batchSize: 1, dense: 1, compute: 2, overhead: 0.3, head: 6 };
  // Everything on one worker, over a wire that costs nothing.
  const alone = predictDecode(model, layer, 1, { roundTripMs: 0, bytesPerSecond: Infinity });
  expect(alone).toMatchObject({ stepMs: 94 * 3.3 + 6, distinctWorkers: 1, busiestShare: 1 });
  expect(alone.tokensPerSecond).toBeCloseTo(1000 / 316.2, 6);
});

it('charges 94 round trips and the bytes of rows and sums', () => {
  const layer = { batchSize: 1, dense: 0, compute: 0, overhead: 0, head: 0 };
  const { stepMs, distinctWorkers } = predictDecode(model, layer, 4, { roundTripMs: 0.5, bytesPerSecond: 125e6 });
  // 59,458 bytes a layer for 3.63 workers with fp16 rows, both ways.
  const wireMs = (1000 * distinctWorkers * 4096 * 4) / 125e6;
  expect(stepMs).toBeCloseTo(94 * (0.5 + wireMs), 6);
  expect(distinctWorkers * 4096 * 4).toBeCloseTo(59_458, -3);
});
