import { createHash } from 'node:crypto';
import { ExpertmeshError, type ErrorCode } from '../errors/expertmesh-error.js';
import { MANIFEST_FILE_NAME } from '../expert-store/manifest.js';
import { type FileSource } from './file-source.js';
import { requireSameStore } from './require-same-store.js';

/** The manifest of 12,000 blobs has 2 MB. */
const MAX_MANIFEST_BYTES = 64 * 2 ** 20;

/**
 * A copy of the store's directory on a web server. HTTPS or not does not matter for what is believed: every file is
 * compared with the own manifest.
 *
 * @throws ExpertmeshError `unavailable` or `not_found` where there is none, `failed_precondition` for another store.
 */
export async function openWebSource(url: string, storeId: string, signal: AbortSignal): Promise<FileSource> {
  const base = url.endsWith('/') ? url : `${url}/`;
  const read = (path: string, aborted: AbortSignal): AsyncIterable<Uint8Array> =>
    bodyOf(new URL(path, base).href, aborted);
  requireSameStore(url, await idOf(read(MANIFEST_FILE_NAME, signal)), storeId);
  return { name: url, read: ({ path }, aborted) => read(path, aborted), close: () => undefined };
}

async function idOf(manifest: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of manifest) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > MAX_MANIFEST_BYTES)
      throw new ExpertmeshError('data_loss', `a manifest of more than ${String(MAX_MANIFEST_BYTES)} bytes is none`);
    hash.update(chunk);
  }
  return hash.digest('hex');
}

async function* bodyOf(url: string, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    const { ok, status, body } = await fetch(url, { signal });
    if (!ok || body === null) throw new ExpertmeshError(codeOf(status), `${url} answers with ${String(status)}`);
    yield* body;
  } catch (thrown) {
    if (thrown instanceof ExpertmeshError) throw thrown;
    const { message, cause } = ExpertmeshError.from(thrown);
    const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : message;
    throw new ExpertmeshError(signal.aborted ? 'cancelled' : 'unavailable', `${url}: ${reason}`, { cause: thrown });
  }
}

const codeOf = (status: number): ErrorCode => (status === 404 || status === 410 ? 'not_found' : 'unavailable');
