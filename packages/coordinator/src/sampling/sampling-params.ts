/** How the next token is chosen. Neutral values switch a step off; they are complete, defaults are applied before. */
export interface SamplingParams {
  /** 0 is greedy. */
  readonly temperature: number;
  /** Keep the k most likely tokens; 0 keeps all. */
  readonly topK: number;
  /** Keep the smallest set of tokens whose probability reaches this; 1 keeps all. */
  readonly topP: number;
  /** Keep tokens of at least this fraction of the most likely one's probability; 0 keeps all. */
  readonly minP: number;
  /** Above 1 makes tokens of the prompt and of the answer less likely; 1 is off. */
  readonly repetitionPenalty: number;
  /** Subtracted once from the logit of a token that the answer has; 0 is off. */
  readonly presencePenalty: number;
  /** Subtracted from the logit of a token per time that the answer has it; 0 is off. */
  readonly frequencyPenalty: number;
  /** Same seed, prompt and parameters give the same tokens; absent means a random one. */
  readonly seed?: number | undefined;
}

/** What bends the logits of an answer before a token is drawn. Parts that are absent cost nothing. */
export interface LogitControls {
  /** Added to the logit of a token, by token id. */
  readonly logitBias?: ReadonlyMap<number, number>;
  /** Token sequences whose last token is forbidden where the answer ends with the others. */
  readonly badWords?: readonly (readonly number[])[];
  /** If there, no other token is ever drawn, but for those that end the answer. */
  readonly allowedTokenIds?: readonly number[];
  /** Tokens that end the answer are forbidden until it has so many. */
  readonly minTokens?: number;
}

/** How thinking is told from the answer, by tokens, and bounded. */
export interface ThinkingControl {
  /**
   * Where the answer begins: inside thinking, where thinking may be opened by the first token, or never in thinking.
   */
  readonly begins: 'inside' | 'may-open' | 'never';
  readonly openTokenId: number;
  readonly closeTokenId: number;
  /** Thinking is closed when it has so many tokens. */
  readonly budgetTokens?: number;
  /** What is written at the budget: the closing token, with what the model's template has around it. */
  readonly closingTokenIds: readonly number[];
}

/** Which log-probabilities are wanted: natural logarithms of the model's own distribution, before anything bends it. */
export interface LogprobsRequest {
  /** So many of the most likely tokens beside each token of the answer; absent for none, 0 for the token alone. */
  readonly answer?: number;
  /** The same for the tokens of the prompt. */
  readonly prompt?: number;
}

export interface TokenLogprob {
  readonly tokenId: number;
  readonly logprob: number;
}

export interface TokenLogprobs extends TokenLogprob {
  /** 1 for the most likely token. */
  readonly rank: number;
  /** Most likely first. */
  readonly top: readonly TokenLogprob[];
}
