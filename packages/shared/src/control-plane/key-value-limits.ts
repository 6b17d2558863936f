import { ExpertmeshError } from '../errors/expertmesh-error.js';

export const MAX_KEY_BYTES = 200;

/** Below NATS's own limit of a message (1 MiB, with its headers). */
export const MAX_VALUE_BYTES = 1_000_000;

/** @throws ExpertmeshError `invalid_argument` */
export function checkKey(key: string): void {
  const sizeBytes = Buffer.byteLength(key);
  if (sizeBytes > MAX_KEY_BYTES)
    throw new ExpertmeshError(
      'invalid_argument',
      `a key of ${String(sizeBytes)} bytes is too long for the control plane, ` +
        `which takes ${String(MAX_KEY_BYTES)}: use a shorter id (${key.slice(0, 40)}...)`,
    );
}

/** @throws ExpertmeshError `invalid_argument` */
export function checkValue(key: string, value: Uint8Array): void {
  if (value.byteLength > MAX_VALUE_BYTES)
    throw new ExpertmeshError(
      'invalid_argument',
      `the value of ${key} has ${String(value.byteLength)} bytes, the control plane takes ${String(MAX_VALUE_BYTES)}`,
    );
}
