import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';

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
