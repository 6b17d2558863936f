import { MAX_ANSWERS } from '@expertmesh/shared/limits/limits';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type SequenceRequest } from '../engine/engine-client.js';
import { checkConstraint } from '../sampling/grammar/check-constraint.js';
import { type CheckConstraint } from '../sampling/grammar/checks/constraint-checks.js';
import { type Constraint } from '../sampling/grammar/constraint.js';
import { type LogitControls, type LogprobsRequest } from '../sampling/sampling-params.js';
import { badWordTokens } from './bad-words.js';
import { checkCount, checkNumber, checkText, checkTokenIds } from './field-limits.js';
import { type GenerationRequest } from './generation-request.js';
import { keptPrompt, resolveMaxTokens } from './prompt-limits.js';
import { FieldError } from './request-error.js';
import { checkResumed } from './resumed-text.js';
import { resolveSampling } from './sampling-overrides.js';
import { type ServedModel } from './served-model.js';

const MAX_STOP_STRINGS = 16;
const MAX_STOP_CHARS = 1024;
const MAX_STOP_TOKEN_IDS = 1024;
const MAX_BAD_WORDS = 128;
const MAX_BAD_WORD_CHARS = 256;
/** OpenAI has 300, vLLM no limit. */
const MAX_BIASED_TOKENS = 1024;
/** OpenAI's; 100 forces a token, -100 forbids it. */
const MAX_BIAS = 100;
/** OpenAI's and vLLM's. */
const MAX_LOGPROBS = 20;
const MAX_PRIORITY = 2 ** 31 - 1;
const MAX_SALT_CHARS = 1024;
const MAX_TIMEOUT_MS = 24 * 3_600_000;

/**
 * Applies the model's defaults and checks everything against its limits.
 *
 * @throws FieldError naming the field, the value and the limit.
 */
export async function toSequenceRequest(model: ServedModel, request: GenerationRequest): Promise<SequenceRequest> {
  const { maxModelLen, vocabSize } = model.engine.limits;
  checkTokenIds('prompt', request.promptTokenIds, vocabSize);
  checkStops(request, vocabSize);
  checkNumber('priority', request.priority, { min: -MAX_PRIORITY, max: MAX_PRIORITY, isInteger: true });
  checkNumber('timeoutMs', request.timeoutMs, { min: 1, max: MAX_TIMEOUT_MS });
  checkText('cacheSalt', request.cacheSalt, MAX_SALT_CHARS);
  if (request.constraint !== undefined) await checkNamedConstraint(model, request.constraint);
  const promptTokenIds = keptPrompt(request, maxModelLen);
  const maxTokens = resolveMaxTokens(promptTokenIds.length, request, maxModelLen);
  checkResumed(request, maxTokens, vocabSize);
  const controls = await controlsOf(model, request, maxTokens);
  const logprobs = logprobsOf(request);
  const { thinking, constraint, priority, tenant, cacheSalt, timeoutMs, stopTokenIds = [] } = request;
  const { resumedTokenIds } = request;
  return {
    promptTokenIds,
    maxTokens,
    sampling: resolveSampling(request.sampling ?? {}, model.defaults.sampling),
    stopTokenIds: request.ignoreEos ? stopTokenIds : [...new Set([...model.defaults.eosTokenIds, ...stopTokenIds])],
    ...present({ controls, thinking, constraint, logprobs, priority, tenant, cacheSalt, timeoutMs }),
    ...present({ resumedTokenIds: resumedTokenIds?.length === 0 ? undefined : resumedTokenIds }),
    ...present({ numAnswers: numGeneratedAnswers(request) }),
  };
}

/**
 * How many answers are computed for the ones that are returned; absent for one.
 *
 * @throws FieldError when fewer are computed than returned, or more, and each is to come as it is written.
 */
function numGeneratedAnswers(request: GenerationRequest): number | undefined {
  const { numAnswers = 1, bestOf = numAnswers, isStreamed = false } = request;
  checkNumber('numAnswers', numAnswers, { min: 1, max: MAX_ANSWERS, isInteger: true });
  checkNumber('bestOf', bestOf, { min: 1, max: MAX_ANSWERS, isInteger: true });
  if (bestOf < numAnswers || (isStreamed && bestOf > numAnswers)) {
    const remedy = bestOf < numAnswers ? 'raise it' : 'an answer cannot be streamed before the best are known';
    throw new FieldError(
      'invalid_value',
      'bestOf',
      (nameOf) => `${nameOf('bestOf')} is ${String(bestOf)}, ${nameOf('numAnswers')} ${String(numAnswers)}: ${remedy}`,
    );
  }
  return bestOf === 1 ? undefined : bestOf;
}

const checkHere: CheckConstraint = (constraint) => {
  checkConstraint(constraint);
  return Promise.resolve();
};

/** Those that have been checked: several prompts of a request have one together. */
const checkedConstraints = new WeakSet<Constraint>();

async function checkNamedConstraint(
  { checkConstraint: check = checkHere }: ServedModel,
  constraint: Constraint,
): Promise<void> {
  if (checkedConstraints.has(constraint)) return;
  try {
    await check(constraint);
  } catch (thrown) {
    if (!(thrown instanceof ExpertmeshError) || thrown.code !== 'invalid_argument') throw thrown;
    const { message } = thrown;
    throw new FieldError('invalid_value', 'constraint', (nameOf) => `${nameOf('constraint')}: ${message}`);
  }
  checkedConstraints.add(constraint);
}

function checkStops({ stopStrings = [], stopTokenIds = [] }: GenerationRequest, vocabSize: number): void {
  checkCount('stopStrings', stopStrings.length, MAX_STOP_STRINGS);
  for (const stop of stopStrings) checkText('stopStrings', stop, MAX_STOP_CHARS);
  checkCount('stopTokenIds', stopTokenIds.length, MAX_STOP_TOKEN_IDS);
  checkTokenIds('stopTokenIds', stopTokenIds, vocabSize);
}

/** Absent where nothing bends the logits: that costs nothing. */
async function controlsOf(
  { tokenizer, engine: { limits } }: ServedModel,
  request: GenerationRequest,
  maxTokens: number,
): Promise<LogitControls | undefined> {
  const { logitBias, badWords = [], allowedTokenIds, minTokens } = request;
  checkBias(logitBias, limits.vocabSize);
  checkCount('badWords', badWords.length, MAX_BAD_WORDS);
  for (const word of badWords) checkText('badWords', word.trimStart(), MAX_BAD_WORD_CHARS);
  checkAllowed(allowedTokenIds, limits.vocabSize);
  checkNumber('minTokens', minTokens, { min: 0, max: maxTokens, isInteger: true });
  const controls: LogitControls = present({
    logitBias: logitBias?.size === 0 ? undefined : logitBias,
    badWords: badWords.length === 0 ? undefined : await badWordTokens(tokenizer, badWords),
    allowedTokenIds,
    minTokens: minTokens === 0 ? undefined : minTokens,
  });
  return Object.keys(controls).length === 0 ? undefined : controls;
}

function checkBias(logitBias: ReadonlyMap<number, number> = new Map(), vocabSize: number): void {
  checkCount('logitBias', logitBias.size, MAX_BIASED_TOKENS);
  checkTokenIds('logitBias', logitBias.keys(), vocabSize);
  for (const bias of logitBias.values()) checkNumber('logitBias', bias, { min: -MAX_BIAS, max: MAX_BIAS });
}

function checkAllowed(allowedTokenIds: readonly number[] | undefined, vocabSize: number): void {
  if (allowedTokenIds === undefined) return;
  checkCount('allowedTokenIds', allowedTokenIds.length, vocabSize);
  checkTokenIds('allowedTokenIds', allowedTokenIds, vocabSize);
  if (allowedTokenIds.length > 0) return;
  throw new FieldError(
    'invalid_value',
    'allowedTokenIds',
    (nameOf) => `${nameOf('allowedTokenIds')} is empty: no token could be drawn. Leave it out to allow all`,
  );
}

/** The best of several answers are known by their log-probabilities, also where the client does not ask for them. */
function logprobsOf(request: GenerationRequest): LogprobsRequest | undefined {
  const { logprobs, promptLogprobs, numAnswers = 1, bestOf = numAnswers } = request;
  checkNumber('logprobs', logprobs, { min: 0, max: MAX_LOGPROBS, isInteger: true });
  checkNumber('promptLogprobs', promptLogprobs, { min: 0, max: MAX_LOGPROBS, isInteger: true });
  const answer = logprobs ?? (bestOf > numAnswers ? 0 : undefined);
  return answer === undefined && promptLogprobs === undefined ? undefined : present({ answer, prompt: promptLogprobs });
}

type Present<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

/** Without the members that are undefined. */
const present = <T extends object>(object: T): Present<T> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Present<T>;
