import { RequestError } from '../generation/request-error.js';

/**
 * A field that is JSON in a string.
 *
 * @param name the field's path, for the error.
 * @throws RequestError when it is none.
 */
export function jsonField(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    throw new RequestError('invalid_value', `${name} is not JSON: ${String(thrown)}`, name);
  }
}
