import { FieldError } from './request-error.js';
import { type ServedModel } from './served-model.js';

/** Composition (NFC) makes one character of a few: at most, three of three bytes each become one of three. */
const MAX_COMPOSED = 3;

/**
 * The tokens of a prompt. One that cannot fit the model, be its tokens the longest that there are, is refused before it
 * is tokenised.
 *
 * @param isCut only the end of it is kept, so that it may be longer
 * @throws FieldError `context_length_exceeded` by the text's size.
 */
export function promptTokens(
  { tokenizer, engine }: Pick<ServedModel, 'tokenizer' | 'engine'>,
  text: string,
  isCut: boolean,
): Promise<number[]> {
  const { maxModelLen } = engine.limits;
  const maxBytes = MAX_COMPOSED * maxModelLen * tokenizer.maxTokenBytes;
  if (isCut || Buffer.byteLength(text) <= maxBytes) return tokenizer.encode(text);
  throw new FieldError(
    'context_length_exceeded',
    'prompt',
    () =>
      `This model's maximum context length is ${String(maxModelLen)} tokens; the prompt has ` +
      `${String(Buffer.byteLength(text))} bytes, and no text of more than ${String(maxBytes)} can fit. ` +
      'Shorten the prompt',
  );
}
