import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import type { GrammarMasks } from './grammar-masks.js';
import type { Pushdown, PushdownState } from './pushdown.js';
import type { TokenVocabulary } from './token-vocabulary.js';

/** A jump ahead ends after so many bytes, whatever follows. */
const MAX_FORCED_BYTES = 4096;

/** What states of one compiled constraint share. */
export interface ConstraintParts {
  readonly pushdown: Pushdown;
  readonly masks: GrammarMasks;
  readonly vocabulary: TokenVocabulary;
}

/** How far one answer has come. */
export class ConstraintState {
  readonly #parts: ConstraintParts;
  #state: PushdownState;
  #hasEnded: boolean;

  constructor(parts: ConstraintParts, state = parts.pushdown.start(), hasEnded = false) {
    this.#parts = parts;
    this.#state = state;
    this.#hasEnded = hasEnded;
  }

  /** Whether the answer may end here. */
  get isComplete(): boolean {
    return this.#state.isComplete;
  }

  /** Whether nothing but the end can follow. */
  get isFinished(): boolean {
    return this.#hasEnded || (this.#state.isComplete && this.#state.readings.length === 0);
  }

  /**
   * The tokens that may come next: bit `id & 31` of word `id >> 5`, Uint32[ceil(vocabSize / 32)]. End tokens are among
   * them where the answer may end. Shared between states, so it is not to be written.
   */
  mask(): Uint32Array {
    return this.#parts.masks.maskOf(this.#state);
  }

  /** @throws ExpertmeshError `internal` for a token that the mask forbids. */
  accept(tokenId: number): void {
    const { vocabulary, pushdown } = this.#parts;
    if (vocabulary.endTokenIds.includes(tokenId)) {
      if (!this.isComplete || this.#hasEnded) throw forbidden(tokenId, 'the answer cannot end here');
      this.#hasEnded = true;
      return;
    }
    const bytes = vocabulary.tokenBytes.get(tokenId);
    if (bytes.length === 0 || vocabulary.specialTokenIds.has(tokenId) || this.#hasEnded) {
      throw forbidden(tokenId, 'it is no part of an answer');
    }
    const next = this.#walk(bytes);
    if (next === null) throw forbidden(tokenId, `its bytes ${Buffer.from(bytes).toString('hex')} cannot follow`);
    this.#state = next;
    pushdown.trim();
  }

  #walk(bytes: Uint8Array): PushdownState | null {
    let state: PushdownState | null = this.#state;
    for (const byte of bytes) {
      state = this.#parts.pushdown.step(state, byte);
      if (state === null) return null;
    }
    return state;
  }

  /** Goes on by itself from the same place: for drafts, and for answers that are taken up again. */
  clone(): ConstraintState {
    return new ConstraintState(this.#parts, this.#state, this.#hasEnded);
  }

  /** The bytes that must follow in any case; none where there is a choice or the answer may end. */
  forcedBytes(): Uint8Array {
    const { pushdown } = this.#parts;
    const bytes: number[] = [];
    let state: PushdownState | null = this.#hasEnded ? null : this.#state;
    while (state !== null && bytes.length < MAX_FORCED_BYTES) {
      const byte = pushdown.forcedByte(state);
      if (byte === undefined) break;
      bytes.push(byte);
      state = pushdown.step(state, byte);
    }
    return Uint8Array.from(bytes);
  }
}

function forbidden(tokenId: number, why: string): ExpertmeshError {
  return new ExpertmeshError(
    'internal',
    `token ${String(tokenId)} was chosen against the constraint: ${why}; choose among the tokens of mask()`,
  );
}
