/**
 * Thinking in the form that clients hand back without reading it (`encrypted_content`, `signature`). It is coded, not
 * secret: whoever may read the answer may read its thinking.
 */
export function carryThinking(text: string): string {
  return PREFIX + Buffer.from(text).toString('base64');
}

/** The thinking, or undefined for what another server made. */
export function readCarriedThinking(carried: string): string | undefined {
  if (!carried.startsWith(PREFIX)) return undefined;
  return Buffer.from(carried.slice(PREFIX.length), 'base64').toString();
}

const PREFIX = 'thinking:';
