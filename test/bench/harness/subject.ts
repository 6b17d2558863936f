/** Something that decodes: a cluster of ours, or a peer. */
export interface Subject {
  /** Stands before the names of its measures. */
  readonly name: string;
  /**
   * Computes all prompts (token ids) together, greedily, each to exactly `numTokens` tokens.
   *
   * @returns For each prompt, when each token came, in milliseconds since the start.
   */
  generate(prompts: readonly (readonly number[])[], numTokens: number): Promise<readonly (readonly number[])[]>;
  /** Processor time that all its processes have taken so far, in seconds. */
  processorSeconds(): number;
}
