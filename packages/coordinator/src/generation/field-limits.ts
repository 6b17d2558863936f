import { FieldError } from './request-error.js';
import { type RequestField } from './request-field.js';

export interface NumberRange {
  readonly min: number;
  readonly max: number;
  readonly minIsExcluded?: boolean;
  readonly isInteger?: boolean;
}

/** @throws FieldError when a value that is there is outside its range. */
export function checkNumber(field: RequestField, value: number | undefined, range: NumberRange): void {
  if (value === undefined) return;
  const { min, max, minIsExcluded = false, isInteger = false } = range;
  const isAboveMin = minIsExcluded ? value > min : value >= min;
  if (isAboveMin && value <= max && (!isInteger || Number.isInteger(value))) return;
  const kind = isInteger ? 'an integer' : 'a number';
  const lower = minIsExcluded ? `above ${String(min)}` : `of at least ${String(min)}`;
  throw new FieldError(
    'invalid_value',
    field,
    (nameOf) => `${nameOf(field)} must be ${kind} ${lower} and at most ${String(max)}; it is ${String(value)}`,
  );
}

/** @throws FieldError when a list has more entries than allowed. */
export function checkCount(field: RequestField, count: number, max: number): void {
  if (count <= max) return;
  throw new FieldError(
    'invalid_value',
    field,
    (nameOf) => `${nameOf(field)} may have at most ${String(max)} entries; it has ${String(count)}`,
  );
}

/** @throws FieldError when an id is not one of the model's. */
export function checkTokenIds(field: RequestField, tokenIds: Iterable<number>, vocabSize: number): void {
  for (const id of tokenIds) {
    if (Number.isInteger(id) && id >= 0 && id < vocabSize) continue;
    throw new FieldError(
      'invalid_value',
      field,
      (nameOf) => `${nameOf(field)} has token ${String(id)}; this model's tokens are 0 to ${String(vocabSize - 1)}`,
    );
  }
}

/** @throws FieldError when a text that is there is empty or too long. */
export function checkText(field: RequestField, text: string | undefined, maxChars: number): void {
  if (text === undefined || (text.length >= 1 && text.length <= maxChars)) return;
  throw new FieldError(
    'invalid_value',
    field,
    (nameOf) =>
      `A text in ${nameOf(field)} must have 1 to ${String(maxChars)} characters; one has ${String(text.length)}`,
  );
}
