import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';

/** A text file that goes along with a question. */
export interface Attachment {
  readonly name: string;
  readonly text: string;
}

/** More than any context takes. */
const MAX_BYTES = 1024 * 1024;

/** @throws ExpertmeshError `invalid_argument` when the file cannot be read, is too large or is not text. */
export async function readAttachment(path: string): Promise<Attachment> {
  const bytes = await readBounded(path);
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (!text.includes('\0')) return { name: basename(path), text };
  } catch {
    // Said below.
  }
  throw new ExpertmeshError('invalid_argument', `${path} is no text in UTF-8: only text can be attached`);
}

/** A question with the files before it, each between marks with its name. */
export function withAttachments(question: string, attachments: readonly Attachment[]): string {
  const files = attachments.map(({ name, text }) => `<file name=${JSON.stringify(name)}>\n${text.trimEnd()}\n</file>`);
  return [...files, question].join('\n\n');
}

async function readBounded(path: string): Promise<Uint8Array> {
  const file = await open(path).catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  try {
    // One byte more shows that there is more, also where the size is not known before.
    const bytes = await buffer(file.createReadStream({ end: MAX_BYTES, autoClose: false }));
    if (bytes.length <= MAX_BYTES) return bytes;
  } catch (cause) {
    throw unreadable(path, cause);
  } finally {
    await file.close();
  }
  const message = `${path} is larger than ${String(MAX_BYTES)} bytes: attach the part that matters`;
  throw new ExpertmeshError('invalid_argument', message);
}

function unreadable(path: string, cause: unknown): ExpertmeshError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ExpertmeshError('invalid_argument', `Cannot attach ${path}: ${reason}`, { cause });
}
