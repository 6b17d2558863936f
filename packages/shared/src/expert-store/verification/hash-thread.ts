import { serveThread } from '../../threads/serve-thread.js';
import { HASH_CHUNK_BYTES, hashFile, type HashContract } from './hash-file.js';

// The entry point of a thread of hashing-thread.ts: hashes one file after another, as it is told.
serveThread<HashContract>(() => {
  const buffer = Buffer.allocUnsafeSlow(HASH_CHUNK_BYTES);
  return { ready: undefined, requests: { hash: (file) => hashFile(file, buffer) }, messages: {} };
});
