import { describe, expect, it } from 'vitest';
import { CODER_TEMPLATE, qwen3Template, THINKING_TEMPLATE } from '@expertmesh/test-kit/chat-templates';
import { GivenOutputs } from '@expertmesh/test-kit/given-outputs';
import { ChatTemplate } from '../text/chat-template.js';
import { type ChatRequest, type ToolDefinition } from './chat-request.js';
import { type ChatGeneration } from './generate-chat.js';
import { prepareChat } from './prepare-chat.js';
import { loadServedModel, type ServedModel } from './served-model.js';

const engine = new GivenOutputs(() => []);
const demo = await loadServedModel('models/qwen3-moe-demo', { id: 'demo', engine });
const { tokenizer } = demo;
const [emptyLineId = -1] = await tokenizer.encode('\n\n');
const withTemplate = (source: string): ServedModel => ({ ...demo, chatTemplate: new ChatTemplate(source, {}) });
const qwen3 = withTemplate(qwen3Template());
const thinking2507 = withTemplate(THINKING_TEMPLATE);
const coder = withTemplate(CODER_TEMPLATE);

const chat = (fields: Partial<ChatRequest> = {}, content = 'q'): ChatRequest => ({
  messages: [{ role: 'user', content }],
  generation: {},
  ...fields,
});

async function promptOf(model: ServedModel, request: ChatRequest): Promise<string> {
  return promptText(await prepareChat(model, request));
}

const promptText = ({ request }: ChatGeneration): string => tokenizer.decode(request.promptTokenIds);

const OPEN = '<|im_start|>assistant\n';
const SKIPPED = `${OPEN}<think>\n\n</think>\n\n`;

describe('thinking', () => {
  it.each<[string, Partial<ChatRequest>, string]>([
    ['is left to the template by default', {}, OPEN],
    ['is switched off by mode', { thinking: { mode: false } }, SKIPPED],
    ['is switched off by the variable of the template', { templateVariables: { enable_thinking: false } }, SKIPPED],
    ['is switched off by a budget of 0', { thinking: { budgetTokens: 0 } }, SKIPPED],
    ['is switched off by no effort', { thinking: { effort: 'none' } }, SKIPPED],
    ['is on by effort', { thinking: { effort: 'low' } }, OPEN],
    [
      'is on where the variable says so and the effort does not',
      { thinking: { effort: 'none' }, templateVariables: { enable_thinking: true } },
      OPEN,
    ],
    [
      'is off where the mode says so and the variable does not',
      { thinking: { mode: false }, templateVariables: { enable_thinking: true } },
      SKIPPED,
    ],
  ])('%s', async (_, fields, end) => {
    expect((await promptOf(qwen3, chat(fields))).endsWith(end)).toBe(true);
  });

  it('is skipped by closing it where the template opens it always', async () => {
    expect(await promptOf(thinking2507, chat({ thinking: { mode: false } }))).toMatch(/<think>\n\n<\/think>\n\n$/u);
    const generation = await prepareChat(thinking2507, chat());
    expect(generation.startsInThinking).toBe(true);
    expect(generation.request.thinking?.begins).toBe('inside');
  });

  it('leaves soft switches to the model where it is on, and to nobody where it is off', async () => {
    expect(await promptOf(qwen3, chat({}, 'q /no_think'))).toContain(`q /no_think<|im_end|>\n${OPEN}`);
    expect((await promptOf(qwen3, chat({ thinking: { mode: false } }, 'q /think'))).endsWith(SKIPPED)).toBe(true);
  });

  it.each<[Partial<ChatRequest>, number | undefined]>([
    [{}, undefined],
    [{ thinking: { budgetTokens: 100 } }, 100],
    [{ thinking: { effort: 'minimal' } }, 512],
    [{ thinking: { effort: 'low' } }, 2048],
    [{ thinking: { effort: 'medium' } }, 8192],
    [{ thinking: { effort: 'high' } }, 24_576],
    [{ thinking: { effort: 'xhigh' } }, undefined],
    [{ thinking: { effort: 'high', budgetTokens: 7 } }, 7],
  ])('is bounded for %j', async (fields, budgetTokens) => {
    const { request } = await prepareChat(qwen3, chat(fields));
    expect(request.thinking).toEqual({
      begins: 'may-open',
      openTokenId: tokenizer.idOf('<think>'),
      closeTokenId: tokenizer.idOf('</think>'),
      ...(budgetTokens !== undefined && { budgetTokens }),
      closingTokenIds: await tokenizer.encode('\n</think>\n\n'),
    });
  });

  it('is never begun where it is off, and unknown to models without', async () => {
    expect((await prepareChat(qwen3, chat({ thinking: { mode: false } }))).request.thinking?.begins).toBe('never');
    expect((await prepareChat(coder, chat())).request.thinking).toBeUndefined();
  });

  it('refuses a budget that is none', async () => {
    const request = chat({ thinking: { budgetTokens: -1 } });
    await expect(prepareChat(qwen3, request)).rejects.toMatchObject({ param: 'thinkingBudget' });
  });
});

describe('thinking that is left to the model', () => {
  const openId = tokenizer.idOf('<think>') ?? -1;

  /** A model that opens thinking, and then skips it, with these probabilities. */
  function deciding(opening: number, skipping: number): { readonly model: ServedModel; readonly asked: GivenOutputs } {
    const asked = new GivenOutputs(({ promptTokenIds }) => {
      const isOpen = promptTokenIds.at(-1) === openId;
      const [tokenId, probability] = isOpen ? [emptyLineId, skipping] : [openId, opening];
      const top = [{ tokenId, logprob: Math.log(probability) }];
      return [{ tokenIds: [0], logprobs: [{ tokenId: 0, logprob: -9, rank: 9, top }], finishReason: 'length' }];
    });
    return { model: { ...qwen3, engine: asked }, asked };
  }

  it.each([
    [0.9, 0.2, OPEN],
    [0.9, 0.8, SKIPPED],
    [0.3, 0.1, SKIPPED],
  ])('is opened with %d and skipped with %d', async (opening, skipping, end) => {
    const { model, asked } = deciding(opening, skipping);
    expect((await promptOf(model, chat({ thinking: { mode: 'auto' } }))).endsWith(end)).toBe(true);
    expect(asked.requests.map(({ maxTokens, logprobs }) => [maxTokens, logprobs])).toEqual([
      [1, { answer: 20 }],
      [1, { answer: 20 }],
    ]);
  });

  it.each([
    ['q /no_think', SKIPPED],
    ['q /think', OPEN],
    ['/no_think q /think', OPEN],
    ['a /think\nb /no_think c', SKIPPED],
  ])('is decided by a soft switch without asking: %j', async (content, end) => {
    const { model, asked } = deciding(0.5, 0.5);
    expect((await promptOf(model, chat({ thinking: { mode: 'auto' } }, content))).endsWith(end)).toBe(true);
    expect(asked.requests).toEqual([]);
  });

  it('is asked for by the variable of the template, too', async () => {
    const { model, asked } = deciding(0.9, 0);
    await prepareChat(model, chat({ templateVariables: { enable_thinking: 'auto' } }, 'see /path/think and/think'));
    expect(asked.requests).toHaveLength(2);
  });

  it('is always opened by a template that always opens it', async () => {
    const generation = await prepareChat(thinking2507, chat({ thinking: { mode: 'auto' } }));
    expect(generation.startsInThinking).toBe(true);
  });
});

const tool = (name: string, strict = false): ToolDefinition => ({
  source: { type: 'function', function: { name, parameters: { type: 'object' } } },
  name,
  parameters: { type: 'object' },
  strict,
});

describe('tools', () => {
  const tools = [tool('add'), tool('sub')];
  const constrained = tools.map(({ name, parameters, strict }) => ({ name, parameters, strict }));

  it('are printed and offered, and keep the answer to nothing', async () => {
    const generation = await prepareChat(qwen3, chat({ tools }));
    expect(promptText(generation)).toContain('{"type": "function", "function": {"name": "add"');
    expect(generation.toolOffer).toEqual({ format: 'hermes', tools });
    expect(generation.request.constraint).toBeUndefined();
  });

  it('are left out where none is to be called', async () => {
    const generation = await prepareChat(qwen3, chat({ tools, toolChoice: 'none' }));
    expect(promptText(generation)).not.toContain('add');
    expect(generation.toolOffer).toBeUndefined();
  });

  it.each<[Partial<ChatRequest>, object]>([
    [{ toolChoice: 'required' }, { mode: 'required', parallel: true }],
    [
      { toolChoice: { named: 'sub' }, parallelToolCalls: false },
      { mode: { named: 'sub' }, parallel: false },
    ],
  ])('keep the answer to calls for %j', async (fields, expected) => {
    const { request } = await prepareChat(coder, chat({ tools, ...fields }));
    const constraint = { kind: 'tool_calls', format: 'qwen3_coder_xml', tools: constrained, ...expected };
    expect(request.constraint).toEqual(constraint);
  });

  it('keep calls to their schemas where one is strict', async () => {
    const { request } = await prepareChat(qwen3, chat({ tools: [tool('add', true), tool('sub')] }));
    expect(request.constraint).toMatchObject({ kind: 'tool_calls', mode: 'auto', tools: [{ strict: true }, {}] });
  });

  it('go together with a form of the answer, which holds where nothing is called', async () => {
    const content = { kind: 'json_object' } as const;
    const { request } = await prepareChat(qwen3, chat({ tools, constraint: content }));
    expect(request.constraint).toMatchObject({ kind: 'tool_calls', mode: 'auto', content });
  });

  it.each<[string, ServedModel, Partial<ChatRequest>, string]>([
    ['a choice that is not offered', qwen3, { tools, toolChoice: { named: 'mul' } }, 'toolChoice'],
    ['a call without tools', qwen3, { toolChoice: 'required' }, 'toolChoice'],
    ['tools that the template does not take', thinking2507, { tools }, 'tools'],
    [
      'a form of the answer beside a forced call',
      qwen3,
      { tools, toolChoice: 'required', constraint: { kind: 'json_object' } },
      'constraint',
    ],
    ['an enable_thinking in quotes', qwen3, { templateVariables: { enable_thinking: 'false' } }, 'templateVariables'],
    ['documents that the template does not take', qwen3, { documents: [{ text: 'd' }] }, 'documents'],
    ['a template of the client', qwen3, { chatTemplate: '{{ messages }}' }, 'chatTemplate'],
    ['to continue what is not there', qwen3, { continueFinalMessage: true }, 'continueFinalMessage'],
    [
      'to continue behind a new beginning',
      qwen3,
      { continueFinalMessage: true, addGenerationPrompt: true, messages: [{ role: 'assistant', content: 'a' }] },
      'continueFinalMessage',
    ],
  ])('refuses %s, by name', async (_, model, fields, param) => {
    await expect(prepareChat(model, chat(fields))).rejects.toMatchObject({ code: 'invalid_argument', param });
  });
});

describe('a template of the client', () => {
  const trusting = { ...qwen3, trustsRequestTemplates: true };

  it('is used where clients are trusted', async () => {
    const request = chat({ chatTemplate: '{{ messages[0].content }}{{ documents[0] }}', documents: ['d'] });
    expect(await promptOf(trusting, request)).toBe('qd');
  });

  it('is refused where it does not compile', async () => {
    const refused = prepareChat(trusting, chat({ chatTemplate: '{% for %}' }));
    await expect(refused).rejects.toMatchObject({ param: 'chatTemplate' });
  });
});
