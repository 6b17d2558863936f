import { type ConstraintState } from '../constraint-state.js';
import { type ThinkingPhase } from '../thinking-phase.js';
import { forbidOthers } from '../token-mask.js';
import { type LogitProcessor } from './logit-processor.js';

/**
 * Forbids what the answer's constraint forbids. Thinking is free, but must not end the answer: it would not be what was
 * asked for.
 */
export class ConstraintMask implements LogitProcessor {
  readonly field = 'the required format (response_format, structured_outputs or tool_choice)';
  readonly #constraint: ConstraintState;
  readonly #thinking: ThinkingPhase | undefined;
  readonly #stopTokenIds: ReadonlySet<number>;

  constructor(constraint: ConstraintState, thinking: ThinkingPhase | undefined, stopTokenIds: ReadonlySet<number>) {
    this.#constraint = constraint;
    this.#thinking = thinking;
    this.#stopTokenIds = stopTokenIds;
  }

  apply(logits: Float32Array): void {
    switch (this.#thinking?.phase) {
      case undefined:
      case 'answering':
        forbidOthers(logits, this.#constraint.mask());
        return;
      case 'undecided':
        this.#forbidBut(logits, this.#thinking.openTokenId);
        return;
      case 'thinking':
      case 'closing':
        for (const tokenId of this.#stopTokenIds) logits[tokenId] = -Infinity;
    }
  }

  observe(tokenId: number): void {
    if (this.#thinking?.isOfAnswer(tokenId) ?? true) this.#constraint.accept(tokenId);
  }

  #forbidBut(logits: Float32Array, tokenId: number): void {
    const logit = logits[tokenId] ?? -Infinity;
    forbidOthers(logits, this.#constraint.mask());
    logits[tokenId] = logit;
  }
}
