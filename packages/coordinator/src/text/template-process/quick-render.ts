import { createHash } from 'node:crypto';
import { type TemplateInput } from '../chat-template.js';

/**
 * Templates that have been read, by the SHA-256 of their text: they go over the messages a fixed number of times and
 * build nothing but text, so that they take time in proportion to what they are given.
 */
const READ_TEMPLATES: ReadonlySet<string> = new Set([
  // Qwen3, as the first release of all its sizes ships it.
  '87a2728cb8dc9fe424d624542f6060ec05a1d285ebbec578bb078900e33396b5',
  // The bundled demo model.
  '0f47a22b0b26076a37e418ce6cfb0346743bbb6616656d537f5bfe8731aa63e9',
]);

/** Characters, and what each value counts beside its own, that such a template renders within some milliseconds. */
const MAX_SIZE = 32 * 1024;
const VALUE_SIZE = 128;

/** Whether a template is known to take no more time than its input is large. */
export function isReadTemplate(source: string): boolean {
  return READ_TEMPLATES.has(createHash('sha256').update(source).digest('hex'));
}

/** Whether an input is so small that a template which has been read is done with it at once. */
export function isSmallInput(input: TemplateInput): boolean {
  let size = 0;
  const waiting: unknown[] = [input];
  while (waiting.length > 0 && size <= MAX_SIZE) {
    const value = waiting.pop();
    size += VALUE_SIZE + (typeof value === 'string' ? value.length : 0);
    if (typeof value !== 'object' || value === null) continue;
    if (Array.isArray(value)) {
      size += VALUE_SIZE * value.length;
      if (size <= MAX_SIZE) waiting.push(...(value as unknown[]));
      continue;
    }
    for (const [key, member] of Object.entries(value)) {
      size += key.length;
      waiting.push(member);
    }
  }
  return size <= MAX_SIZE;
}
