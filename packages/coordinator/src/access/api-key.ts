import { createHash, timingSafeEqual } from 'node:crypto';

/** What a key may do in a minute and at a time; absent is unlimited. */
export interface KeyLimits {
  readonly requestsPerMinute?: number | undefined;
  /** Tokens of prompts and answers together. */
  readonly tokensPerMinute?: number | undefined;
  readonly concurrentRequests?: number | undefined;
  /** Longest sequence, prompt and answer together. */
  readonly maxModelLen?: number | undefined;
}

/** A key as it is kept: by its hash. The key itself has 128 random bits or more, so a plain hash cannot be guessed. */
export interface ApiKey {
  readonly name: string;
  /** SHA-256 of the key, 32 bytes. */
  readonly hash: Buffer;
  readonly limits: KeyLimits;
}

export function hashOfKey(key: string): Buffer {
  return createHash('sha256').update(key, 'utf8').digest();
}

/** Looks at every key, whichever is found: how long it takes tells nothing about them. */
export function findKey(keys: readonly ApiKey[], presented: string): ApiKey | undefined {
  const hash = hashOfKey(presented);
  let found: ApiKey | undefined;
  for (const key of keys) if (timingSafeEqual(key.hash, hash)) found = key;
  return found;
}
