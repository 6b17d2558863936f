import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { type ExpertStore } from '../expert-store/expert-store.js';
import { MAX_FILE_READS } from '../limits/limits.js';
import { bindService, type BoundService } from '../rpc/server.js';
import { storeService } from '../rpc/services.js';
import { toServiceError } from '../rpc/status.js';
import { requireSameStore } from './require-same-store.js';

const CHUNK_BYTES = 256 * 1024;
/** A reader that takes nothing for this long is given up, so that it holds none of the places. */
const STALLED_READER_MS = 30_000;

type ReadStream = Parameters<Parameters<typeof bindService<typeof storeService>>[1]['readFile']>[0];

/** What is given of a store. */
type ServedStore = Pick<ExpertStore, 'storeId' | 'blob' | 'requireBlobFile'>;

/** `expertmesh.v1.StoreService`: gives the files that the manifest lists, and no others, to those who lack them. */
export function createStoreService(store: ServedStore): BoundService {
  let numReads = 0;
  const read = async (stream: ReadStream): Promise<void> => {
    if (numReads >= MAX_FILE_READS) throw tooManyReads();
    numReads += 1;
    try {
      await sendFile(store, stream);
    } finally {
      numReads -= 1;
    }
  };
  return bindService(storeService, {
    readFile: (stream) => {
      read(stream).then(
        () => stream.end(),
        (error: unknown) => stream.emit('error', toServiceError(error)),
      );
    },
  });
}

async function sendFile(store: ServedStore, stream: ReadStream): Promise<void> {
  const { storeId, path } = stream.request;
  requireSameStore('this process', store.storeId, storeId);
  const { sizeBytes } = store.blob(path);
  const file = await open(await store.requireBlobFile(path), 'r');
  try {
    for (let offset = 0; offset < sizeBytes && !stream.cancelled;) {
      // gRPC keeps what it is given until it is sent, so every chunk has a buffer of its own.
      const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, sizeBytes - offset));
      const { bytesRead } = await file.read(buffer, 0, buffer.byteLength, offset);
      if (bytesRead === 0) throw new ExpertmeshError('data_loss', `${path} became shorter while it was read`);
      offset += bytesRead;
      if (!stream.write({ data: buffer.subarray(0, bytesRead) })) await drained(stream);
    }
  } finally {
    await file.close();
  }
}

async function drained(stream: ReadStream): Promise<void> {
  // Its event came while the file was read: no other does.
  if (stream.cancelled) return;
  const end = new AbortController();
  const signal = AbortSignal.any([end.signal, AbortSignal.timeout(STALLED_READER_MS)]);
  try {
    await Promise.race([once(stream, 'drain', { signal }), once(stream, 'cancelled', { signal })]);
  } catch (cause) {
    const message = `the reader took nothing for ${String(STALLED_READER_MS)} ms`;
    throw new ExpertmeshError('deadline_exceeded', message, { cause });
  } finally {
    end.abort();
  }
}

const tooManyReads = (): ExpertmeshError =>
  new ExpertmeshError(
    'resource_exhausted',
    `${String(MAX_FILE_READS)} files of the store are being read, and no more may be at a time: ask again later`,
  );
