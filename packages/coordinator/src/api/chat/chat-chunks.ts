import { type ChatDelta } from '../../generation/generate-chat.js';
import { type ChatPart } from '../../text/chat-part.js';
import { chunkUsage, openAiHead, openAiUsage } from '../openai-answer.js';
import { type ChatAnswerForm } from './answer-form.js';
import { callHead } from './call-head.js';
import { logprobsOf } from './chat-answer.js';

/** Turns answers into `chat.completion.chunk` objects. */
export async function* chatChunks(
  form: ChatAnswerForm,
  deltas: AsyncIterable<ChatDelta>,
): AsyncGenerator<object, void, void> {
  const { head, usageOptions } = form;
  const begun = new Set<number>();
  let last: ChatDelta | undefined;
  for await (const delta of deltas) {
    const isFirst = last === undefined;
    const hasBegun = begun.has(delta.answerIndex);
    begun.add(delta.answerIndex);
    const choices = [...(hasBegun ? [] : [firstChoice(form)]), ...choicesOf(form, delta)];
    for (const [index, choice] of choices.entries())
      yield {
        ...openAiHead(head, 'chat.completion.chunk'),
        choices: [{ index: delta.answerIndex, ...choice }],
        ...(isFirst && index === 0 && form.showsTokenIds && { prompt_token_ids: form.promptTokenIds }),
        ...chunkUsage(usageOptions, delta.usage),
      };
    last = delta;
  }
  if (usageOptions.includeUsage && last !== undefined)
    yield { ...openAiHead(head, 'chat.completion.chunk'), choices: [], usage: openAiUsage(last.usage) };
}

interface ChunkChoice {
  readonly delta: object;
  readonly logprobs: object | null;
  readonly finish_reason: string | null;
  readonly stop_reason?: string | number | null;
  readonly token_ids?: readonly number[];
}

const choice = (delta: object): ChunkChoice => ({ delta, logprobs: null, finish_reason: null });

const firstChoice = ({ role, echo }: ChatAnswerForm): ChunkChoice => choice({ role, content: echo });

/** One a part, and one for the end; what is told of the tokens goes with the first. */
function choicesOf(form: ChatAnswerForm, delta: ChatDelta): ChunkChoice[] {
  const { parts, tokens, finishReason, stopReason = null } = delta;
  const shown = parts.filter(({ kind }) => kind !== 'reasoning' || form.showsReasoning);
  const choices = shown.map((part) => choice(toChunkDelta(part)));
  if (finishReason !== undefined) choices.push({ ...choice({}), finish_reason: finishReason, stop_reason: stopReason });
  const tellsOfTokens = tokens.length > 0 && (form.showsLogprobs || form.showsTokenIds);
  if (!tellsOfTokens) return choices;
  const [first = choice({}), ...others] = choices;
  const told: ChunkChoice = {
    ...first,
    logprobs: form.showsLogprobs ? logprobsOf(form.names, tokens) : null,
    ...(form.showsTokenIds && { token_ids: tokens.map(({ tokenId }) => tokenId) }),
  };
  return [told, ...others];
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
