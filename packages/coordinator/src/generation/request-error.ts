import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type NameOfField, type RequestField } from './request-field.js';

/** OpenAI's `error.code` for requests that can never succeed. */
export type RequestErrorCode =
  'context_length_exceeded' | 'invalid_value' | 'model_not_found' | 'unknown_parameter' | 'unsupported_parameter';

/** A refused request. `param` is the path of the field at fault, such as `messages[0].role`. */
export class RequestError extends ExpertmeshError {
  readonly requestCode: RequestErrorCode;

  constructor(requestCode: RequestErrorCode, message: string, param?: string) {
    super(requestCode === 'model_not_found' ? 'not_found' : 'invalid_argument', message, param ? { param } : {});
    this.requestCode = requestCode;
  }
}

/**
 * A refusal from below the API, which knows fields by our own names only: `message` gets a function that names them,
 * and `namedBy` says the same in the names of a dialect.
 */
export class FieldError extends RequestError {
  readonly field: RequestField;
  readonly #message: (nameOf: NameOfField) => string;

  constructor(requestCode: RequestErrorCode, field: RequestField, message: (nameOf: NameOfField) => string) {
    super(requestCode, message(ownName), field);
    this.field = field;
    this.#message = message;
  }

  namedBy(nameOf: NameOfField): RequestError {
    return new RequestError(this.requestCode, this.#message(nameOf), nameOf(this.field));
  }
}

const ownName: NameOfField = (field) => field;
