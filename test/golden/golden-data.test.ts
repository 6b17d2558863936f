import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { moeLayerIndices, parseModelSpec } from '@expertmesh/shared/model/model-spec';
import { describe, expect, it } from 'vitest';
import { loadDemoAnswers } from '@expertmesh/test-kit/demo-answers';
import { loadModelGolden, modelGoldenNames } from './model-golden.js';
import { loadTextGolden, textGoldenNames } from './text-golden.js';

const indexOfLargest = (values: Float32Array) => values.reduce((best, v, i) => (v > (values[best] ?? 0) ? i : best), 0);

it('has goldens of the demo model and of nine tiny ones', () => {
  expect(modelGoldenNames).toContain('qwen3-moe-demo');
  expect(modelGoldenNames).toHaveLength(10);
});

describe.each(modelGoldenNames)('golden of %s', (name) => {
  const golden = loadModelGolden(name);
  const spec = parseModelSpec(JSON.parse(readFileSync(join(golden.checkpointDir, 'config.json'), 'utf8')));

  it('lists the layers with experts of its config', () => {
    expect(golden.moeLayers).toEqual(moeLayerIndices(spec));
  });

  it('has a short and a long prompt without near-ties', () => {
    const [short, long] = golden.prompts;
    expect(short?.promptTokenIds.length).toBeLessThan(32);
    expect(long?.promptTokenIds.length).toBeGreaterThan(60);
    for (const prompt of golden.prompts) {
      expect(prompt.smallestRouterGap).toBeGreaterThan(1e-4);
      expect(prompt.smallestGreedyGap).toBeGreaterThan(1e-2);
    }
  });

  it('has logits that choose its greedy tokens', () => {
    for (const prompt of golden.prompts) {
      const chosen = [prompt.prefillLogits(prompt.promptTokenIds.length - 1)];
      for (let step = 0; step < 32; step++) chosen.push(prompt.decodeLogits(step));
      expect(chosen.map((logits) => logits?.length)).toEqual(chosen.map(() => spec.vocabSize));
      expect(chosen.map((logits) => logits && indexOfLargest(logits))).toEqual(prompt.greedyTokenIds);
    }
  });

  it('has topK distinct experts and falling weights for every position and layer', () => {
    for (const prompt of golden.prompts) {
      for (const layer of golden.moeLayers) {
        for (let position = 0; position < prompt.promptTokenIds.length + prompt.numDecodeSteps; position++) {
          const experts = prompt.experts(layer, position);
          const weights = prompt.weights(layer, position);
          expect(new Set(experts).size).toBe(spec.topK);
          expect(experts.every((expert) => expert >= 0 && expert < spec.numExperts)).toBe(true);
          expect([...weights]).toEqual([...weights].sort((a, b) => b - a));
          const sum = weights.reduce((total, weight) => total + weight, 0);
          if (spec.normTopkProb) expect(sum).toBeCloseTo(1, 5);
          else expect(sum).toBeLessThan(1);
        }
      }
    }
  });

  it('refuses a position and a layer that it does not have', () => {
    const [prompt] = golden.prompts;
    expect(() => prompt?.decodeLogits(32)).toThrow(RangeError);
    expect(() => prompt?.experts(spec.numLayers, 0)).toThrow(RangeError);
  });
});

it.each(textGoldenNames)('text golden of %s has 200 strings and 30 conversations with tokens', (name) => {
  const golden = loadTextGolden(name);
  expect(new Set(golden.strings.map(({ text }) => text)).size).toBeGreaterThanOrEqual(200);
  expect(golden.strings.filter(({ text, ids }) => text !== '' && ids.length === 0)).toEqual([]);
  expect(golden.conversations.length).toBeGreaterThanOrEqual(30);
  expect(golden.conversations.filter(({ rendered, ids }) => rendered === '' || ids.length === 0)).toEqual([]);
  expect(golden.cutStrings.every(({ ids, decodedPrefixes }) => ids.length === decodedPrefixes.length)).toBe(true);
});

it('asks the demo model 200 questions, half of them with thinking', () => {
  const answers = loadDemoAnswers();
  expect(new Set(answers.map(({ question }) => question)).size).toBe(200);
  expect(answers.filter(({ enableThinking }) => enableThinking)).toHaveLength(100);
  expect(answers.find(({ question }) => question === 'What is 47 + 85?')?.answerText).toMatch(/132$/);
});
