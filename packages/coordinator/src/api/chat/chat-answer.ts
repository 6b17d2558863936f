import { type ChatDelta, type ChatToken } from '../../generation/generate-chat.js';
import { type ChatPart } from '../../text/chat-part.js';
import { openAiHead, openAiUsage } from '../openai-answer.js';
import { chatLogprobs, promptLogprobs, type TokenNames } from '../token-logprobs.js';
import { type ChatAnswerForm } from './answer-form.js';
import { callHead } from './call-head.js';

/** Collects whole answers into a `chat.completion` object. */
export async function chatCompletion(form: ChatAnswerForm, deltas: AsyncIterable<ChatDelta>): Promise<object> {
  const answers = new Map<number, ChatDelta[]>();
  let first: ChatDelta | undefined;
  let last: ChatDelta | undefined;
  for await (const delta of deltas) {
    const answer = answers.get(delta.answerIndex);
    if (answer === undefined) answers.set(delta.answerIndex, [delta]);
    else answer.push(delta);
    first ??= delta;
    last = delta;
  }
  const choices = [...answers].sort(([a], [b]) => a - b).map(([index, answer]) => toChoice(form, index, answer));
  return {
    ...openAiHead(form.head, 'chat.completion'),
    choices,
    usage: last === undefined ? null : openAiUsage(last.usage),
    ...(first?.promptLogprobs && { prompt_logprobs: promptLogprobs(form.names, first.promptLogprobs) }),
    ...(form.showsTokenIds && { prompt_token_ids: form.promptTokenIds }),
  };
}

function toChoice(form: ChatAnswerForm, index: number, deltas: readonly ChatDelta[]): object {
  const last = deltas.at(-1);
  const tokens = deltas.flatMap((delta) => delta.tokens);
  const parts = deltas.flatMap((delta) => delta.parts);
  return {
    index,
    message: toMessage(form, parts),
    logprobs: form.showsLogprobs ? logprobsOf(form.names, tokens) : null,
    finish_reason: last?.finishReason ?? null,
    stop_reason: last?.stopReason ?? null,
    ...(form.showsTokenIds && { token_ids: tokens.map(({ tokenId }) => tokenId) }),
  };
}

/** `logprobs` of a choice, or of a chunk. */
export function logprobsOf(names: TokenNames, tokens: readonly ChatToken[]): object {
  return { content: tokens.flatMap(({ logprobs }) => (logprobs === undefined ? [] : [chatLogprobs(names, logprobs)])) };
}

function toMessage({ role, echo, showsReasoning }: ChatAnswerForm, parts: readonly ChatPart[]): object {
  const toolCalls = parts.flatMap((part) => (part.kind === 'call_start' ? [toOpenAiToolCall(part, parts)] : []));
  const reasoning = showsReasoning ? textOf(parts, 'reasoning') || null : null;
  const content = echo + textOf(parts, 'content');
  return {
    role,
    content: content === '' && toolCalls.length > 0 ? null : content,
    refusal: null,
    // Clients read the one or the other: vLLM renamed it, and broke those that knew the old name.
    reasoning,
    reasoning_content: reasoning,
    ...(toolCalls.length > 0 && { tool_calls: toolCalls }),
  };
}

const textOf = (parts: readonly ChatPart[], kind: 'reasoning' | 'content'): string =>
  parts.map((part) => (part.kind === kind ? part.text : '')).join('');

function toOpenAiToolCall({ name, callIndex }: { name: string; callIndex: number }, parts: readonly ChatPart[]) {
  const texts = parts.map((part) => (part.kind === 'call_arguments' && part.callIndex === callIndex ? part.text : ''));
  return { ...callHead(), function: { name, arguments: texts.join('') } };
}
