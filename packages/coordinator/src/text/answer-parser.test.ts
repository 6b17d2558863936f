import { describe, expect, it } from 'vitest';
import { AnswerParser } from './answer-parser.js';
import { type ChatPart } from './chat-part.js';
import { type ToolOffer } from './tool-call-parser.js';

interface Answer {
  reasoning: string;
  content: string;
  calls: string[];
}

const HERMES: ToolOffer = { format: 'hermes', tools: [] };

interface Options {
  readonly startsInThinking?: boolean;
  readonly toolOffer?: ToolOffer | undefined;
  readonly isCut?: boolean;
}

function parse(pieces: readonly string[], { startsInThinking = false, toolOffer, isCut = false }: Options): Answer {
  const parser = new AnswerParser({ startsInThinking, toolOffer });
  const parts: ChatPart[] = [...pieces.flatMap((piece) => parser.push(piece)), ...parser.flush({ isCut })];
  const answer: Answer = { reasoning: '', content: '', calls: [] };
  const names: string[] = [];
  const args: string[] = [];
  for (const part of parts) {
    if (part.kind === 'call_start') names[part.callIndex] = part.name;
    else if (part.kind === 'call_arguments') args[part.callIndex] = (args[part.callIndex] ?? '') + part.text;
    else answer[part.kind] += part.text;
  }
  return { ...answer, calls: names.map((name, index) => `${name}(${args[index] ?? ''})`) };
}

/** The answer, after checking that it does not depend on how the text is cut. */
function answerOf(text: string, given: Options = {}): Answer {
  const options = { toolOffer: HERMES, ...given };
  const whole = parse([text], options);
  expect(parse(Array.from(text), options)).toEqual(whole);
  for (let cut = 1; cut < text.length; cut++) {
    expect(parse([text.slice(0, cut), text.slice(cut)], options)).toEqual(whole);
  }
  return whole;
}

describe('thinking', () => {
  it('is separated from the content, without the newlines around it', () => {
    expect(answerOf('<think>\n47 + 85\n\nis 132\n</think>\n\nIt is 132.\n')).toEqual({
      reasoning: '47 + 85\n\nis 132',
      content: 'It is 132.\n',
      calls: [],
    });
  });

  it('goes on from a prompt that has opened it', () => {
    expect(answerOf('\nhm\n</think>\n\nyes', { startsInThinking: true })).toMatchObject({
      reasoning: 'hm',
      content: 'yes',
    });
  });

  it('is everything when the answer is cut inside it', () => {
    expect(answerOf('<think>\nhm, </thi')).toMatchObject({ reasoning: 'hm, </thi', content: '' });
  });

  it('may be empty', () => {
    expect(answerOf('<think>\n\n</think>\n\nyes')).toMatchObject({ reasoning: '', content: 'yes' });
  });

  it('is absent from the answer of a model that does not think', () => {
    expect(answerOf('\n 132 < 133')).toMatchObject({ reasoning: '', content: '\n 132 < 133' });
    expect(answerOf('<thin')).toMatchObject({ reasoning: '', content: '<thin' });
  });

  it('starts only at the beginning: later marks are content', () => {
    expect(answerOf('Qwen writes <think>x</think> first.')).toMatchObject({
      reasoning: '',
      content: 'Qwen writes <think>x</think> first.',
    });
  });
});

describe('tool calls', () => {
  const call = '<tool_call>\n{"name": "add", "arguments": {"a": 1, "b": [2]}}\n</tool_call>';

  it('are taken out of the content with the whitespace before them', () => {
    expect(answerOf(`Let me see.\n${call}\n${call}\nDone.`)).toEqual({
      reasoning: '',
      content: 'Let me see.\nDone.',
      calls: ['add({"a": 1, "b": [2]})', 'add({"a": 1, "b": [2]})'],
    });
  });

  it('leave no whitespace where there is no other content', () => {
    expect(answerOf(`\n${call}\n`)).toMatchObject({ content: '', calls: ['add({"a": 1, "b": [2]})'] });
    expect(answerOf(`${call}\nDone.`)).toMatchObject({ content: 'Done.' });
    expect(answerOf(`See:\n${call}\n`)).toMatchObject({ content: 'See:' });
  });

  it('follow thinking', () => {
    expect(answerOf(`<think>\nadd\n</think>\n\n${call}`)).toEqual({
      reasoning: 'add',
      content: '',
      calls: ['add({"a": 1, "b": [2]})'],
    });
  });

  it('keep their arguments as the model wrote them', () => {
    const block = '<tool_call>{"arguments": {"id": 12345678901234567890, "x": 1.0}, "name": "f"}</tool_call>';
    expect(answerOf(block).calls).toEqual(['f({"id": 12345678901234567890, "x": 1.0})']);
  });

  it.each([
    'see <tool_call>\n{"name": "add", "id": {"a": 1\n</tool_call> ok',
    '<tool_call>{"title": "add"}</tool_call>',
    '<tool_call>{"name": "", "arguments": {}}</tool_call>',
    '<tool_call>{"name": 3, "arguments": {}}</tool_call>',
    '<tool_call>{"name": "add", "arguments": [1]}</tool_call>',
    '<tool_call>add(1, 2)</tool_call>',
    '<tool_call>{"name": "add", "arguments": "a"}</tool_call>\n',
    'a\n <tool_call>null</tool_call>\n b',
    'text \n<tool_call>\n{"name": "add", "argu',
    'a < b <tool',
  ])('stay content, unchanged, when they are malformed or cut: %j', (text) => {
    expect(answerOf(text)).toEqual({ reasoning: '', content: text, calls: [] });
  });

  it('are found again after a malformed one', () => {
    expect(answerOf(`<tool_call>x</tool_call> ${call}`)).toMatchObject({
      content: '<tool_call>x</tool_call>',
      calls: ['add({"a": 1, "b": [2]})'],
    });
  });

  it('are content when the request has no tools', () => {
    expect(answerOf(call, { toolOffer: undefined })).toEqual({ reasoning: '', content: call, calls: [] });
  });
});
