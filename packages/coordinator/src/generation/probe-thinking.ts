import { type SequenceOutput } from '../engine/engine-client.js';
import { THINK_OPEN } from '../text/reasoning-splitter.js';
import { type GenerationRequest } from './generation-request.js';
import { toSequenceRequest } from './sequence-request.js';
import { type ServedModel } from './served-model.js';

/** So many of the most likely tokens are looked at; a token that is not among them counts as impossible. */
const NUM_LOOKED_AT = 20;

/**
 * The probability that the model, left to itself, thinks: that its answer opens thinking and does not skip it at once,
 * as Qwen3 does it with an empty line. It takes one token of the engine's time after the prompt, and one more after
 * `<think>`; the prompt itself is computed once where the engine has a prefix cache.
 *
 * @param request with the prompt up to where the answer begins, thinking not opened.
 */
export async function thinkingProbability(
  model: ServedModel,
  request: GenerationRequest,
  signal: AbortSignal,
): Promise<number> {
  const openId = model.tokenizer.idOf(THINK_OPEN);
  if (openId === undefined) return 0;
  const opening = (await nextTokens(model, request, signal)).get(openId) ?? 0;
  if (opening === 0) return 0;
  const promptTokenIds = [...request.promptTokenIds, openId];
  const [emptyLineId = -1] = await model.tokenizer.encode('\n\n');
  const skipping = (await nextTokens(model, { ...request, promptTokenIds }, signal)).get(emptyLineId) ?? 0;
  return opening * (1 - skipping);
}

/** Probabilities of the most likely next tokens, by id. */
async function nextTokens(
  model: ServedModel,
  { promptTokenIds, tenant, priority, cacheSalt, timeoutMs }: GenerationRequest,
  signal: AbortSignal,
): Promise<ReadonlyMap<number, number>> {
  const sequence = await toSequenceRequest(model, {
    promptTokenIds,
    tenant,
    priority,
    cacheSalt,
    timeoutMs,
    maxTokens: 1,
    logprobs: NUM_LOOKED_AT,
    sampling: { temperature: 0 },
  });
  for await (const output of model.engine.generate(sequence, signal)) return probabilitiesOf(output);
  return new Map();
}

/** An engine that gives no log-probabilities gives the most likely token at least. */
function probabilitiesOf({ tokenIds, logprobs }: SequenceOutput): ReadonlyMap<number, number> {
  const top = logprobs?.[0]?.top ?? tokenIds.map((tokenId) => ({ tokenId, logprob: 0 }));
  return new Map(top.map(({ tokenId, logprob }) => [tokenId, Math.exp(logprob)]));
}
