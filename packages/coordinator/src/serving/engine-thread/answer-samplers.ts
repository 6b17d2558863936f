import { setImmediate as nextTurn } from 'node:timers/promises';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type SequenceRequest } from '../../engine/engine-client.js';
import { type TokenSampler } from '../../engine/token-sampler.js';
import { AnswerSampler } from '../../sampling/answer-sampler.js';
import { compileConstraint, compileInPieces } from '../../sampling/grammar/compile-constraint.js';
import { type Constraint } from '../../sampling/grammar/constraint.js';
import { type ConstraintState } from '../../sampling/grammar/constraint-state.js';
import { type TokenVocabulary } from '../../sampling/grammar/token-vocabulary.js';
import { endTokenIds, readGenerationDefaults } from '../../text/generation-defaults.js';
import { loadTokenizer, loadTokenTable, type Tokenizer } from '../../text/tokenizer.js';
import { WarmUps } from './warm-ups.js';

/** Of compiling, in one turn of the thread. */
const MAX_TURN_MS = 2;

/** Makes the samplers of answers, and what holds answers to their constraints. */
export class AnswerSamplers {
  readonly #storeDir: string;
  readonly #vocabulary: TokenVocabulary;
  readonly #warmUps = new WarmUps();
  /** Requests whose constraints are being compiled. */
  readonly #preparing = new Set<number>();
  /**
   * What encodes forced text, read when the first constraint comes: while it is in memory, every collection of garbage
   * takes longer. Answers until then have no tokens told ahead.
   */
  #tokenizer: Tokenizer | 'being read' | undefined;

  private constructor(storeDir: string, vocabulary: TokenVocabulary) {
    this.#storeDir = storeDir;
    this.#vocabulary = vocabulary;
    // The first constraint of a vocabulary takes half a second, which no request should wait for.
    compileConstraint({ kind: 'json_object' }, vocabulary);
  }

  /** Reads the tokenizer of a store. Errors as loadTokenizer and readGenerationDefaults. */
  static async open(storeDir: string, vocabSize: number): Promise<AnswerSamplers> {
    const table = await loadTokenTable(storeDir);
    const tokenIds = Array.from({ length: vocabSize }, (_, tokenId) => tokenId);
    return new AnswerSamplers(storeDir, {
      vocabSize,
      tokenBytes: { get: (tokenId) => table.bytesOf(tokenId) },
      specialTokenIds: new Set(tokenIds.filter((tokenId) => table.isSpecial(tokenId))),
      endTokenIds: endTokenIds(await readGenerationDefaults(storeDir), table),
    });
  }

  /**
   * Calls `then` when `create` has the request's constraint compiled: at once where there is none. It is compiled in
   * pieces, a few a turn of the thread, so that steps wait for no more than that.
   */
  whenPrepared(id: number, { constraint }: SequenceRequest, then: () => void): void {
    if (constraint === undefined) {
      then();
      return;
    }
    this.#preparing.add(id);
    void this.#prepare(constraint).then(() => {
      if (this.#preparing.delete(id)) then();
    });
  }

  /** Whether the request's constraint was being compiled; `then` is not called any more. */
  forget(id: number): boolean {
    return this.#preparing.delete(id);
  }

  /** @throws ExpertmeshError `invalid_argument` for a constraint that is not supported. */
  create(request: SequenceRequest, seed: number): TokenSampler {
    if (request.constraint === undefined) return new AnswerSampler({ request, seed });
    return new AnswerSampler({
      request,
      seed,
      constraint: this.#begin(request.constraint),
      endTokenIds: this.#vocabulary.endTokenIds,
      encode: (bytes) => this.#encode(bytes),
    });
  }

  /** Ends what runs beside the answers. */
  close(): void {
    this.#warmUps.close();
  }

  async #prepare(constraint: Constraint): Promise<void> {
    try {
      const pieces = compileInPieces(constraint, this.#vocabulary);
      for (let startMs = performance.now(); pieces.next().done !== true;) {
        if (performance.now() - startMs < MAX_TURN_MS) continue;
        await nextTurn();
        startMs = performance.now();
      }
    } catch (thrown) {
      // What is wrong with it is told by `create`.
      if (!(thrown instanceof ExpertmeshError)) throw thrown;
    }
  }

  #begin(constraint: Constraint): ConstraintState {
    this.#readTokenizer();
    const compiled = compileConstraint(constraint, this.#vocabulary);
    this.#warmUps.add(compiled);
    return compiled.start();
  }

  #encode(bytes: Uint8Array): readonly number[] {
    if (this.#tokenizer === undefined || this.#tokenizer === 'being read') return [];
    return this.#tokenizer.encodeShort(wholeCharacters(bytes));
  }

  #readTokenizer(): void {
    if (this.#tokenizer !== undefined) return;
    this.#tokenizer = 'being read';
    void loadTokenizer(this.#storeDir).then(
      (tokenizer) => (this.#tokenizer = tokenizer),
      // The main thread has read the same files; what is wrong by now costs drafts alone, and is tried again.
      () => (this.#tokenizer = undefined),
    );
  }
}

/** The text of some bytes up to the last character that is complete. */
function wholeCharacters(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes, { stream: true });
}
