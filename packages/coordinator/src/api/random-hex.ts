import { randomUUID } from 'node:crypto';

/** The part of an id, such as `call_1f0c...`, that nobody guesses. */
export function randomHex(): string {
  return randomUUID().replaceAll('-', '');
}
