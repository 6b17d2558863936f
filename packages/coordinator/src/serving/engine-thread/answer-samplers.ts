import { type SequenceRequest } from '../../engine/engine-client.js';
import { type TokenSampler } from '../../engine/token-sampler.js';
import { AnswerSampler } from '../../sampling/answer-sampler.js';
import { compileConstraint } from '../../sampling/grammar/compile-constraint.js';
import { type Constraint } from '../../sampling/grammar/constraint.js';
import { type ConstraintState } from '../../sampling/grammar/constraint-state.js';
import { type TokenVocabulary } from '../../sampling/grammar/token-vocabulary.js';
import { endTokenIds, readGenerationDefaults } from '../../text/generation-defaults.js';
import { loadTokenizer, type Tokenizer } from '../../text/tokenizer.js';
import { WarmUps } from './warm-ups.js';

/** Makes the samplers of answers, and what holds answers to their constraints. */
export class AnswerSamplers {
  readonly #tokenizer: Tokenizer;
  readonly #vocabulary: TokenVocabulary;
  readonly #warmUps = new WarmUps();

  private constructor(tokenizer: Tokenizer, vocabulary: TokenVocabulary) {
    this.#tokenizer = tokenizer;
    this.#vocabulary = vocabulary;
    // The first constraint of a vocabulary takes half a second, which no request should wait for.
    compileConstraint({ kind: 'json_object' }, vocabulary);
  }

  /** Reads the tokenizer of a store. Errors as loadTokenizer and readGenerationDefaults. */
  static async open(storeDir: string, vocabSize: number): Promise<AnswerSamplers> {
    const tokenizer = await loadTokenizer(storeDir);
    const tokenIds = Array.from({ length: vocabSize }, (_, tokenId) => tokenId);
    return new AnswerSamplers(tokenizer, {
      vocabSize,
      tokenBytes: { get: (tokenId) => tokenizer.bytesOf(tokenId) },
      specialTokenIds: new Set(tokenIds.filter((tokenId) => tokenizer.isSpecial(tokenId))),
      endTokenIds: endTokenIds(await readGenerationDefaults(storeDir), tokenizer),
    });
  }

  /** @throws ExpertmeshError `invalid_argument` for a constraint that is not supported. */
  create(request: SequenceRequest, seed: number): TokenSampler {
    if (request.constraint === undefined) return new AnswerSampler({ request, seed });
    return new AnswerSampler({
      request,
      seed,
      constraint: this.#begin(request.constraint),
      endTokenIds: this.#vocabulary.endTokenIds,
      encode: (bytes) => this.#tokenizer.encodeShort(wholeCharacters(bytes)),
    });
  }

  /** Ends what runs beside the answers. */
  close(): void {
    this.#warmUps.close();
  }

  #begin(constraint: Constraint): ConstraintState {
    const compiled = compileConstraint(constraint, this.#vocabulary);
    this.#warmUps.add(compiled);
    return compiled.start();
  }
}

/** The text of some bytes up to the last character that is complete. */
function wholeCharacters(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes, { stream: true });
}
