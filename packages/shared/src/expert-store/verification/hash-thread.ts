import { parentPort } from 'node:worker_threads';
import { ExpertmeshError, toErrorData } from '../../errors/expertmesh-error.js';
import { HASH_CHUNK_BYTES, hashFile, type HashAnswer } from './hash-file.js';

// The entry point of a thread of hashing-thread.ts: hashes one file after another, as it is told.
const port = parentPort;
if (port === null) throw new ExpertmeshError('internal', 'hash-thread.js runs only as a worker thread');

const buffer = Buffer.allocUnsafeSlow(HASH_CHUNK_BYTES);

port.on('message', (file: string) => {
  port.postMessage(answer(file));
});

function answer(file: string): HashAnswer {
  try {
    return { kind: 'done', hashed: hashFile(file, buffer) };
  } catch (error) {
    return { kind: 'failed', error: toErrorData(error) };
  }
}
