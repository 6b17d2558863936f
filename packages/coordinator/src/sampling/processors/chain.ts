import { type AnswerRequest } from '../answer-request.js';
import { type ConstraintState } from '../constraint-state.js';
import { type SamplingParams } from '../sampling-params.js';
import { type ThinkingPhase } from '../thinking-phase.js';
import { AllowedTokenIds } from './allowed-token-ids.js';
import { BadWords } from './bad-words.js';
import { ConstraintMask } from './constraint-mask.js';
import { CountPenalties } from './count-penalties.js';
import { LogitBias } from './logit-bias.js';
import { type LogitProcessor } from './logit-processor.js';
import { MinTokens } from './min-tokens.js';
import { RepetitionPenalty } from './repetition-penalty.js';

/**
 * The processors that a request asks for, in the order in which they are applied, which is vLLM's (docs/sampling.md).
 * One that it does not ask for is not among them. A new processor gets a file in this folder and a line here.
 */
export function processorChain(
  request: AnswerRequest,
  stopTokenIds: ReadonlySet<number>,
  constraint: ConstraintState | undefined,
  thinking: ThinkingPhase | undefined,
): LogitProcessor[] {
  const { sampling, controls: { allowedTokenIds, badWords, minTokens, logitBias } = {} } = request;
  return [
    constraint && new ConstraintMask(constraint, thinking, stopTokenIds),
    allowedTokenIds && new AllowedTokenIds(allowedTokenIds, stopTokenIds),
    badWords && new BadWords(badWords),
    minTokens === undefined ? undefined : new MinTokens(minTokens, stopTokenIds),
    logitBias && new LogitBias(logitBias),
    ...penalties(sampling, request.promptTokenIds),
  ].filter((processor) => processor !== undefined);
}

function penalties(
  { repetitionPenalty, frequencyPenalty, presencePenalty }: SamplingParams,
  promptTokenIds: readonly number[],
): LogitProcessor[] {
  const chain: LogitProcessor[] = [];
  if (repetitionPenalty !== 1) chain.push(new RepetitionPenalty(repetitionPenalty, promptTokenIds));
  if (frequencyPenalty !== 0 || presencePenalty !== 0)
    chain.push(new CountPenalties(frequencyPenalty, presencePenalty));
  return chain;
}
