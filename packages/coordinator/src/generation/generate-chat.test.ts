import { describe, expect, it } from 'vitest';
import { GivenOutputs } from '@expertmesh/test-kit/given-outputs';
import { type SequenceOutput } from '../engine/engine-client.js';
import { type ChatPart } from '../text/chat-part.js';
import { type ToolOffer } from '../text/tool-call-parser.js';
import { type ChatDelta, type ChatGeneration, generateChat } from './generate-chat.js';
import { type GenerationRequest } from './generation-request.js';
import { loadServedModel } from './served-model.js';

const DEMO = 'models/qwen3-moe-demo';
const { tokenizer, defaults } = await loadServedModel(DEMO, { id: 'demo', engine: new GivenOutputs(() => []) });
const EOS = defaults.eosTokenIds[0] ?? -1;
const ids = (text: string): Promise<number[]> => tokenizer.encode(text);

const hermes: ToolOffer = { format: 'hermes', tools: [] };
const CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>';

interface Options extends Partial<Omit<ChatGeneration, 'request'>> {
  readonly request?: Partial<GenerationRequest>;
}

async function run(outputs: readonly SequenceOutput[], { request, ...options }: Options = {}) {
  const engine = new GivenOutputs(() => outputs);
  const model = await loadServedModel(DEMO, { id: 'demo', engine });
  const generation = { startsInThinking: false, toolOffer: undefined, parallelToolCalls: true, ...options };
  const whole = { ...generation, request: { promptTokenIds: [1, 2, 3], ...request } };
  const deltas: ChatDelta[] = [];
  for await (const delta of generateChat(model, whole, new AbortController().signal)) deltas.push(delta);
  return { deltas, engine };
}

/** An output a token, and the end. */
async function oneByOne(text: string, end: SequenceOutput = { tokenIds: [EOS], finishReason: 'stop' }) {
  return [...(await ids(text)).map((tokenId) => ({ tokenIds: [tokenId] })), end];
}

const partsOf = (deltas: readonly ChatDelta[]): readonly ChatPart[] => deltas.flatMap(({ parts }) => parts);
const textOf = (deltas: readonly ChatDelta[], kind: ChatPart['kind']): string =>
  partsOf(deltas)
    .map((part) => (part.kind === kind && 'text' in part ? part.text : ''))
    .join('');

describe('generateChat', () => {
  it('tells thinking from content and counts its tokens', async () => {
    const { deltas } = await run(await oneByOne('<think>\nhm hm\n</think>\n\nyes'));
    expect([textOf(deltas, 'reasoning'), textOf(deltas, 'content')]).toEqual(['hm hm', 'yes']);
    expect(deltas.at(-1)).toMatchObject({
      finishReason: 'stop',
      usage: { promptTokens: 3, reasoningTokens: (await ids('hm hm')).length },
    });
  });

  it('ends with tool_calls where there was one, and not where the answer was cut', async () => {
    const { deltas } = await run(await oneByOne(CALL), { toolOffer: hermes });
    expect(partsOf(deltas)[0]).toEqual({ kind: 'call_start', callIndex: 0, name: 'add' });
    expect(textOf(deltas, 'call_arguments')).toBe('{"a": 1}');
    expect(deltas.at(-1)?.finishReason).toBe('tool_calls');
    const cut = await run(await oneByOne(CALL, { tokenIds: [], finishReason: 'length' }), { toolOffer: hermes });
    expect(cut.deltas.at(-1)?.finishReason).toBe('length');
  });

  it.each([
    ['written as it comes', (text: string) => oneByOne(text)],
    ['that comes at once', async (text: string) => [{ tokenIds: await ids(text) }]],
  ])('ends an answer %s behind its first call where only one is wanted', async (_, outputsOf) => {
    const outputs = await outputsOf(`Sum:\n${CALL}\n${CALL} and more`);
    const { deltas, engine } = await run(outputs, { toolOffer: hermes, parallelToolCalls: false });
    expect([textOf(deltas, 'content'), textOf(deltas, 'call_arguments')]).toEqual(['Sum:', '{"a": 1}']);
    expect(deltas.at(-1)?.finishReason).toBe('tool_calls');
    expect(engine.numLeft).toBe(1);
  });

  it('keeps several answers apart, and sums their usage', async () => {
    const { deltas } = await run(
      [
        { answerIndex: 0, tokenIds: await ids('<think>\na'), numCachedTokens: 2 },
        { answerIndex: 1, tokenIds: await ids('b') },
        { answerIndex: 1, tokenIds: [EOS], finishReason: 'stop' },
        { answerIndex: 0, tokenIds: [EOS], finishReason: 'stop' },
      ],
      { request: { numAnswers: 2 } },
    );
    const ofAnswer = (index: number): ChatDelta[] => deltas.filter(({ answerIndex }) => answerIndex === index);
    expect(textOf(ofAnswer(0), 'reasoning')).toBe('a');
    expect(textOf(ofAnswer(1), 'content')).toBe('b');
    const completionTokens = deltas.flatMap(({ tokens }) => tokens).length;
    expect(deltas.at(-1)?.usage).toEqual({ promptTokens: 3, completionTokens, reasoningTokens: 1, cachedTokens: 2 });
  });

  it('gives tokens with their log-probabilities, and says at what it stopped', async () => {
    const [tokenId = -1] = await ids('a');
    const logprobs = [{ tokenId, logprob: -0.5, rank: 2, top: [] }];
    const { deltas } = await run([{ tokenIds: [tokenId], logprobs }, { tokenIds: await ids('STOP') }], {
      request: { logprobs: 0, stopStrings: ['STOP'] },
    });
    expect(deltas[0]).toMatchObject({ tokens: [{ tokenId, logprobs: logprobs[0] }], promptTokenIds: [1, 2, 3] });
    expect(deltas.at(-1)).toMatchObject({ finishReason: 'stop', stopReason: 'STOP' });
  });
});
