import type { RegexId } from './regex-pool.js';

/** What a grammar is made of: a lexeme (an expression of the automaton), or a rule that is one of several sequences. */
export type GrammarSymbol = RegexId | Rule;

/** A rule, whose alternatives are worked out when they are first needed: rules may refer to themselves. */
export class Rule {
  /** For messages. */
  readonly name: string;
  #alternatives: readonly (readonly GrammarSymbol[])[] | undefined;
  readonly #make: () => readonly (readonly GrammarSymbol[])[];

  constructor(name: string, make: () => readonly (readonly GrammarSymbol[])[]) {
    this.name = name;
    this.#make = make;
  }

  get alternatives(): readonly (readonly GrammarSymbol[])[] {
    this.#alternatives ??= this.#make();
    return this.#alternatives;
  }

  /** Leaves out what can never be completed. */
  keep(isPossible: (alternative: readonly GrammarSymbol[]) => boolean): void {
    this.#alternatives = this.alternatives.filter(isPossible);
  }
}
