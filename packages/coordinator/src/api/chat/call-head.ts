import { randomHex } from '../random-hex.js';

/** What every tool call of an answer begins with. */
export function callHead() {
  return { id: `call_${randomHex()}`, type: 'function' };
}
