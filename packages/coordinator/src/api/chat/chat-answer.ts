import { randomUUID } from 'node:crypto';
import { type ChatDelta, type ChatFinishReason } from '../../generation/generate-chat.js';
import { type TokenUsage } from '../../generation/token-usage.js';
import { type ChatPart } from '../../text/chat-part.js';
import { type AnswerHead, chunkUsage, openAiHead, openAiUsage, type UsageOptions } from '../openai-answer.js';

/** Collects a whole answer into a `chat.completion` object. */
export async function chatCompletion(head: AnswerHead, deltas: AsyncIterable<ChatDelta>): Promise<object> {
  const parts: ChatPart[] = [];
  let last: ChatDelta | undefined;
  for await (const delta of deltas) {
    parts.push(...delta.parts);
    last = delta;
  }
  return {
    ...openAiHead(head, 'chat.completion'),
    choices: [{ index: 0, message: toMessage(parts), logprobs: null, finish_reason: last?.finishReason ?? null }],
    usage: last === undefined ? null : openAiUsage(last.usage),
  };
}

/** Turns an answer into `chat.completion.chunk` objects. */
export async function* chatChunks(
  head: AnswerHead,
  deltas: AsyncIterable<ChatDelta>,
  usageOptions: UsageOptions,
): AsyncGenerator<object, void, void> {
  const chunk = (usage: TokenUsage, delta: object, finishReason: ChatFinishReason | null = null): object => ({
    ...openAiHead(head, 'chat.completion.chunk'),
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
    ...chunkUsage(usageOptions, usage),
  });
  let last: ChatDelta | undefined;
  for await (const delta of deltas) {
    const { parts, usage, finishReason } = delta;
    if (last === undefined) yield chunk(usage, { role: 'assistant', content: '' });
    for (const part of parts) yield chunk(usage, toChunkDelta(part));
    if (finishReason !== undefined) yield chunk(usage, {}, finishReason);
    last = delta;
  }
  if (usageOptions.includeUsage && last !== undefined) {
    yield { ...openAiHead(head, 'chat.completion.chunk'), choices: [], usage: openAiUsage(last.usage) };
  }
}

function toMessage(parts: readonly ChatPart[]): object {
  const textOf = (kind: 'reasoning' | 'content'): string =>
    parts.map((part) => (part.kind === kind ? part.text : '')).join('');
  const toolCalls = parts.flatMap((part) => (part.kind === 'call_start' ? [toOpenAiToolCall(part, parts)] : []));
  const reasoning = textOf('reasoning') || null;
  const content = textOf('content');
  return {
    role: 'assistant',
    content: content === '' && toolCalls.length > 0 ? null : content,
    refusal: null,
    // Clients read the one or the other: vLLM renamed it, and broke those that knew the old name.
    reasoning,
    reasoning_content: reasoning,
    ...(toolCalls.length > 0 && { tool_calls: toolCalls }),
  };
}

function toChunkDelta(part: ChatPart): object {
  switch (part.kind) {
    case 'reasoning':
      return { reasoning: part.text, reasoning_content: part.text };
    case 'content':
      return { content: part.text };
    case 'call_start':
      return {
        tool_calls: [{ index: part.callIndex, ...callHead(), function: { name: part.name, arguments: '' } }],
      };
    case 'call_arguments':
      return { tool_calls: [{ index: part.callIndex, function: { arguments: part.text } }] };
  }
}

function toOpenAiToolCall({ name, callIndex }: { name: string; callIndex: number }, parts: readonly ChatPart[]) {
  const texts = parts.map((part) => (part.kind === 'call_arguments' && part.callIndex === callIndex ? part.text : ''));
  return { ...callHead(), function: { name, arguments: texts.join('') } };
}

const callHead = () => ({ id: `call_${randomUUID().replaceAll('-', '')}`, type: 'function' });
