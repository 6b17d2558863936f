import { type SequenceOutput } from '../engine/engine-client.js';
import { IncrementalDetokenizer } from '../text/incremental-detokenizer.js';
import { StopStrings } from '../text/stop-strings.js';
import { type Tokenizer } from '../text/tokenizer.js';
import { type GenerationRequest } from './generation-request.js';
import { type TextDelta } from './text-delta.js';

/** Turns the tokens of one answer into its text, up to a stop string. */
export class AnswerText {
  readonly #request: GenerationRequest;
  readonly #detokenizer: IncrementalDetokenizer;
  readonly #stopStrings: StopStrings;
  #numTokens = 0;
  #hasEnded = false;

  constructor(tokenizer: Tokenizer, request: GenerationRequest) {
    const { skipSpecialTokens = true, stopStrings = [], includeStop = false } = request;
    this.#request = request;
    this.#detokenizer = new IncrementalDetokenizer(tokenizer, { skipSpecialTokens });
    this.#stopStrings = new StopStrings(stopStrings, { includeStop });
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  push(output: SequenceOutput): TextDelta {
    const { answerIndex = 0, tokenIds, logprobs, finishReason } = output;
    const head = { answerIndex, tokenIds, ...(logprobs && { logprobs }) };
    this.#numTokens += tokenIds.length;
    const decoded = this.#detokenizer.push(this.#visible(output));
    const written = finishReason === undefined ? decoded : decoded + this.#detokenizer.flush();
    const { text, stoppedAt } = this.#mayStop() ? this.#stopStrings.push(written) : { text: written };
    this.#hasEnded = stoppedAt !== undefined || finishReason !== undefined;
    if (stoppedAt !== undefined) return { ...head, text, finishReason: 'stop', stopReason: stoppedAt };
    if (finishReason === undefined) return { ...head, text };
    const stopToken = finishReason === 'stop' ? this.#askedStop(tokenIds.at(-1)) : undefined;
    return {
      ...head,
      text: text + this.#stopStrings.flush(),
      finishReason,
      ...(stopToken !== undefined && { stopReason: stopToken }),
    };
  }

  /** The token at which a sequence stops is no part of its text, like a stop string. */
  #visible({ tokenIds, finishReason }: SequenceOutput): readonly number[] {
    return finishReason === 'stop' && !this.#request.includeStop ? tokenIds.slice(0, -1) : tokenIds;
  }

  /** Stop strings count from where the answer may end, as in vLLM. */
  #mayStop(): boolean {
    return this.#numTokens > (this.#request.minTokens ?? 0);
  }

  #askedStop(tokenId: number | undefined): number | undefined {
    return tokenId !== undefined && this.#request.stopTokenIds?.includes(tokenId) ? tokenId : undefined;
  }
}
