import { describe, expect, it } from 'vitest';
import { GivenOutputs } from '@expertmesh/test-kit/given-outputs';
import { type SequenceOutput } from '../engine/engine-client.js';
import { generateText } from './generate-text.js';
import { type GenerationRequest } from './generation-request.js';
import { loadServedModel, type ServedModel } from './served-model.js';
import { type TextDelta } from './text-delta.js';

const DEMO = 'models/qwen3-moe-demo';
const { tokenizer, defaults } = await loadServedModel(DEMO, { id: 'demo', engine: new GivenOutputs(() => []) });
const EOS = defaults.eosTokenIds[0] ?? -1;

interface Run {
  readonly engine: GivenOutputs;
  readonly deltas: readonly TextDelta[];
}

async function run(outputs: readonly SequenceOutput[], fields: Partial<GenerationRequest> = {}): Promise<Run> {
  const engine = new GivenOutputs(() => outputs);
  const model = await loadServedModel(DEMO, { id: 'demo', engine });
  const request = { promptTokenIds: await model.tokenizer.encode('hi'), ...fields };
  return { engine, deltas: await all(model, request) };
}

async function all(model: ServedModel, request: GenerationRequest): Promise<TextDelta[]> {
  const deltas: TextDelta[] = [];
  for await (const delta of generateText(model, request, new AbortController().signal)) deltas.push(delta);
  return deltas;
}

const ids = (text: string): Promise<number[]> => tokenizer.encode(text);
const logprobs = (tokenIds: readonly number[], logprob: number) =>
  tokenIds.map((tokenId) => ({ tokenId, logprob, rank: 1, top: [] }));

const textOf = (deltas: readonly TextDelta[], index = 0): string =>
  deltas.map(({ answerIndex, text }) => (answerIndex === index ? text : '')).join('');

describe('several answers', () => {
  it('have a text, and an end, each', async () => {
    const { deltas, engine } = await run(
      [
        { answerIndex: 1, tokenIds: await ids('two') },
        { answerIndex: 0, tokenIds: await ids('one') },
        { answerIndex: 1, tokenIds: [EOS], finishReason: 'stop' },
        { answerIndex: 0, tokenIds: await ids('!'), finishReason: 'length' },
      ],
      { numAnswers: 2 },
    );
    expect([textOf(deltas, 0), textOf(deltas, 1)]).toEqual(['one!', 'two']);
    const ends = deltas.flatMap(({ answerIndex, finishReason }) => (finishReason ? [[answerIndex, finishReason]] : []));
    expect(ends).toEqual([
      [1, 'stop'],
      [0, 'length'],
    ]);
    expect(engine.requests[0]?.numAnswers).toBe(2);
  });

  it('end each at its stop string, and the request when all have', async () => {
    const { deltas, engine } = await run(
      [
        { answerIndex: 0, tokenIds: await ids('a STOP b') },
        { answerIndex: 0, tokenIds: await ids('more') },
        { answerIndex: 1, tokenIds: await ids('c STOP') },
        { answerIndex: 1, tokenIds: await ids('more') },
      ],
      { numAnswers: 2, stopStrings: ['STOP'] },
    );
    expect([textOf(deltas, 0), textOf(deltas, 1)]).toEqual(['a ', 'c ']);
    expect(deltas.map(({ stopReason }) => stopReason)).toEqual(['STOP', 'STOP']);
    expect(engine.numLeft).toBe(1);
  });

  it('are the best of more by mean log-probability, each in one piece, best first', async () => {
    const [long, likely, unlikely] = await Promise.all([ids('long one'), ids('likely'), ids('no')]);
    const { deltas, engine } = await run(
      [
        { answerIndex: 0, tokenIds: long, logprobs: logprobs(long, -0.5), numCachedTokens: 1 },
        { answerIndex: 1, tokenIds: likely, logprobs: logprobs(likely, -0.1), finishReason: 'length' },
        { answerIndex: 2, tokenIds: unlikely, logprobs: logprobs(unlikely, -2), finishReason: 'length' },
        { answerIndex: 0, tokenIds: [EOS], logprobs: logprobs([EOS], -0.5), finishReason: 'stop' },
      ],
      { numAnswers: 2, bestOf: 3 },
    );
    expect(deltas.map(({ text }) => text)).toEqual(['likely', 'long one']);
    expect(deltas[0]).toMatchObject({ answerIndex: 0, cachedTokens: 1, unreturnedTokens: unlikely.length });
    expect(deltas[0]).not.toHaveProperty('logprobs');
    expect(deltas[1]).not.toHaveProperty('cachedTokens');
    expect(engine.requests[0]).toMatchObject({ numAnswers: 3, logprobs: { answer: 0 } });
  });
});

describe('an answer', () => {
  it('says at which token it stopped only where the request named it', async () => {
    const [stopId = -1] = await ids('x');
    const named = await run([{ tokenIds: [stopId], finishReason: 'stop' }], { stopTokenIds: [stopId] });
    expect(named.deltas[0]).toMatchObject({ text: '', stopReason: stopId });
    const eos = await run([{ tokenIds: [EOS], finishReason: 'stop' }]);
    expect(eos.deltas[0]).not.toHaveProperty('stopReason');
  });

  it('does not stop at a string before its least tokens', async () => {
    const outputs = (await ids('a.b.c.d')).map((tokenId) => ({ tokenIds: [tokenId] }));
    const { deltas } = await run(outputs, { stopStrings: ['.'], minTokens: 3 });
    expect(textOf(deltas)).toBe('a.b');
  });

  it('brings the prompt that was computed, its log-probabilities and what was there of it, once', async () => {
    const promptLogprobs = [undefined, { tokenId: 2, logprob: -1, rank: 1, top: [] }];
    const { deltas } = await run(
      [
        { tokenIds: await ids('a'), promptLogprobs, numCachedTokens: 0 },
        { tokenIds: [EOS], finishReason: 'stop' },
      ],
      { promptTokenIds: [1, 2, 3, 4], truncatePromptTokens: 2, promptLogprobs: 0 },
    );
    expect(deltas[0]).toMatchObject({ promptTokenIds: [3, 4], promptLogprobs, cachedTokens: 0 });
    expect(deltas[1]).toEqual({ answerIndex: 0, tokenIds: [EOS], text: '', finishReason: 'stop' });
  });
});

describe('what the engine is asked', () => {
  it('has only what the request has', async () => {
    const { engine } = await run([{ tokenIds: [EOS], finishReason: 'stop' }], { logitBias: new Map(), badWords: [] });
    expect(Object.keys(engine.requests[0] ?? {}).sort()).toEqual([
      'maxTokens',
      'promptTokenIds',
      'sampling',
      'stopTokenIds',
    ]);
  });

  it('has bad words as tokens, as they begin a text and behind a space', async () => {
    const { engine } = await run([{ tokenIds: [EOS], finishReason: 'stop' }], { badWords: [' cat'], minTokens: 2 });
    const sequences = [await ids('cat'), await ids(' cat')].filter(
      ({ length }, index, [alone]) => index === 0 || length === alone?.length,
    );
    expect(engine.requests[0]?.controls).toEqual({ badWords: sequences, minTokens: 2 });
  });

  it('has no new tokens where only the prompt is wanted', async () => {
    const { engine } = await run([{ tokenIds: [], finishReason: 'length' }], { maxTokens: 0, promptLogprobs: 1 });
    expect(engine.requests[0]).toMatchObject({ maxTokens: 0, logprobs: { prompt: 1 } });
  });

  it.each<[Partial<GenerationRequest>, string]>([
    [{ maxTokens: 0 }, 'maxTokens'],
    [{ maxTokens: 3000 }, 'maxTokens'],
    [{ minTokens: 11, maxTokens: 10 }, 'minTokens'],
    [{ numAnswers: 0 }, 'numAnswers'],
    [{ numAnswers: 3, bestOf: 2 }, 'bestOf'],
    [{ bestOf: 2, isStreamed: true }, 'bestOf'],
    [{ logprobs: 21 }, 'logprobs'],
    [{ promptLogprobs: -1 }, 'promptLogprobs'],
    [{ logitBias: new Map([[5000, 1]]) }, 'logitBias'],
    [{ logitBias: new Map([[1, 101]]) }, 'logitBias'],
    [{ allowedTokenIds: [] }, 'allowedTokenIds'],
    [{ badWords: [' '] }, 'badWords'],
    [{ stopStrings: [''] }, 'stopStrings'],
    [{ stopTokenIds: [-1] }, 'stopTokenIds'],
    [{ timeoutMs: 0 }, 'timeoutMs'],
    [{ priority: 0.5 }, 'priority'],
    [{ cacheSalt: '' }, 'cacheSalt'],
    [{ sampling: { temperature: 3 } }, 'temperature'],
    [{ truncatePromptTokens: 0, promptTokenIds: [1] }, 'prompt'],
  ])('is refused by name for %j', async (fields, field) => {
    await expect(run([], fields)).rejects.toMatchObject({ code: 'invalid_argument', param: field });
  });
});
