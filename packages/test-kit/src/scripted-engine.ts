import {
  emptyEngineStats,
  type EngineClient,
  type EngineStats,
  type FinishReason,
  type SequenceOutput,
  type SequenceRequest,
} from '@expertmesh/coordinator/engine/engine-client';
import { type TokenLogprobs } from '@expertmesh/coordinator/sampling/sampling-params';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';

/** What the next sequence does: its tokens one by one, and then its end. */
export interface Script {
  readonly tokenIds: readonly number[];
  readonly end: FinishReason | ExpertmeshError | 'hang until aborted';
  /** Before the first token. */
  readonly after?: Promise<void>;
  /** Tokens of the prompt that are said to have been computed before. */
  readonly numCachedTokens?: number;
}

/** An engine that computes nothing: it answers every request with the script that is set. */
export class ScriptedEngine implements EngineClient {
  readonly limits = { maxModelLen: 2048, vocabSize: 2048 };
  readonly requests: SequenceRequest[] = [];
  numOpenSequences = 0;
  numTokensGiven = 0;
  script: Script = { tokenIds: [], end: 'stop' };
  readonly #waitingForAbort: (() => void)[] = [];

  /** Resolves when a sequence has given all its tokens and hangs. */
  get hanging(): Promise<void> {
    return new Promise((resolve) => this.#waitingForAbort.push(resolve));
  }

  async *generate(request: SequenceRequest, signal: AbortSignal): AsyncGenerator<SequenceOutput, void, void> {
    this.requests.push(request);
    this.numOpenSequences++;
    try {
      const { after, numCachedTokens } = this.script;
      await after;
      let news: Partial<SequenceOutput> = {
        ...(numCachedTokens !== undefined && { numCachedTokens }),
        ...promptLogprobsOf(request),
      };
      for await (const output of this.#playAll(request, signal)) {
        yield { ...output, ...news };
        news = {};
      }
    } finally {
      this.numOpenSequences--;
    }
  }

  stats(): EngineStats {
    return { ...emptyEngineStats(100), numRunning: this.numOpenSequences, kvCacheUsedBytes: 25 };
  }

  /** One answer after the other. */
  async *#playAll(request: SequenceRequest, signal: AbortSignal): AsyncGenerator<SequenceOutput, void, void> {
    const { numAnswers = 1, maxTokens, logprobs, resumedTokenIds = [] } = request;
    const script = { ...this.script, tokenIds: this.script.tokenIds.slice(resumedTokenIds.length) };
    if (maxTokens === 0) yield { tokenIds: [], finishReason: 'length' };
    else
      for (let answerIndex = 0; answerIndex < numAnswers; answerIndex++)
        for await (const output of this.#play(script, signal))
          yield { ...output, answerIndex, ...(logprobs?.answer !== undefined && logprobsOf(output, logprobs.answer)) };
  }

  async *#play({ tokenIds, end }: Script, signal: AbortSignal): AsyncGenerator<SequenceOutput, void, void> {
    for (const [index, tokenId] of tokenIds.entries()) {
      await Promise.resolve();
      if (signal.aborted) throw new ExpertmeshError('cancelled', 'aborted');
      this.numTokensGiven++;
      const isLast = index === tokenIds.length - 1 && (end === 'stop' || end === 'length');
      yield isLast ? { tokenIds: [tokenId], finishReason: end } : { tokenIds: [tokenId] };
    }
    if (end instanceof ExpertmeshError) throw end;
    if (end === 'hang until aborted') await this.#hang(signal);
  }

  async #hang(signal: AbortSignal): Promise<void> {
    for (const resolve of this.#waitingForAbort.splice(0)) resolve();
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => {
        resolve();
      });
      if (signal.aborted) resolve();
    });
    throw new ExpertmeshError('cancelled', 'aborted');
  }
}

const logprobsOf = ({ tokenIds }: SequenceOutput, numTop: number): Partial<SequenceOutput> => ({
  logprobs: tokenIds.map((tokenId) => scriptedLogprobs(tokenId, numTop)),
});

function promptLogprobsOf({ promptTokenIds, logprobs }: SequenceRequest): Partial<SequenceOutput> {
  const numTop = logprobs?.prompt;
  if (numTop === undefined) return {};
  return {
    promptLogprobs: promptTokenIds.map((id, index) => (index === 0 ? undefined : scriptedLogprobs(id, numTop))),
  };
}

/** Every token is the most likely one; those that follow it in the vocabulary come after it. */
function scriptedLogprobs(tokenId: number, numTop: number): TokenLogprobs {
  const top = Array.from({ length: numTop }, (_, index) => ({ tokenId: tokenId + index, logprob: -0.5 - index }));
  return { tokenId, logprob: -0.5, rank: 1, top };
}
