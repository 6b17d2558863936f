import { type ThinkingControl } from './sampling-params.js';

/**
 * `undecided`: the next token opens thinking or begins the answer. `closing`: the next tokens are those that close it.
 */
type Phase = 'undecided' | 'thinking' | 'closing' | 'answering';

/** Tells from the tokens of an answer whether it is thinking, and closes thinking when its budget is used up. */
export class ThinkingPhase {
  readonly #control: ThinkingControl;
  readonly #mayReopen: boolean;
  #phase: Phase = 'answering';
  /** Tokens of thinking, without the markers; all blocks of an answer share one budget. */
  #numTokens = 0;
  #numClosing = 0;

  /** @param mayReopen Whether the opening token counts once thinking has ended. */
  constructor(control: ThinkingControl, mayReopen: boolean) {
    this.#control = control;
    this.#mayReopen = mayReopen && control.begins !== 'never';
    if (control.begins === 'inside') this.#think();
    else if (control.begins === 'may-open') this.#phase = 'undecided';
  }

  get phase(): Phase {
    return this.#phase;
  }

  get openTokenId(): number {
    return this.#control.openTokenId;
  }

  /** Tokens that come next and no others, because the budget is used up; usually none. */
  get closing(): readonly number[] {
    return this.#phase === 'closing' ? this.#control.closingTokenIds.slice(this.#numClosing) : [];
  }

  /** Whether a token that came now would be of the answer, not of thinking. */
  isOfAnswer(tokenId: number): boolean {
    return this.#phase === 'answering' || (this.#phase === 'undecided' && tokenId !== this.#control.openTokenId);
  }

  observe(tokenId: number): void {
    const { openTokenId, closeTokenId, closingTokenIds } = this.#control;
    switch (this.#phase) {
      case 'undecided':
        this.#phase = 'answering';
        if (tokenId === openTokenId) this.#think();
        return;
      case 'thinking':
        if (tokenId === closeTokenId) this.#phase = 'answering';
        else this.#count();
        return;
      case 'closing':
        this.#numClosing += 1;
        if (this.#numClosing === closingTokenIds.length) this.#phase = 'answering';
        return;
      case 'answering':
        if (this.#mayReopen && tokenId === openTokenId) this.#think();
    }
  }

  #count(): void {
    this.#numTokens += 1;
    this.#think();
  }

  #think(): void {
    const { budgetTokens = Infinity } = this.#control;
    this.#numClosing = 0;
    this.#phase = this.#numTokens < budgetTokens ? 'thinking' : 'closing';
  }
}
