import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { ExpertmeshError, toErrorData } from '../../errors/expertmesh-error.js';
import { type StoreFile } from '../manifest.js';
import { SourceReader } from '../pack/source-reader.js';
import { writePackedBlob } from '../pack/write-packed-blob.js';
import { DummyWeights } from '../synth/dummy-weights.js';
import { type BlobJob, type BlobThreadData, type BlobThreadMessage } from './blob-job.js';
import { BlobWriter } from './blob-writer.js';

// The entry point of a thread of blob-threads.ts: writes one blob after another, as it is told.
const port = parentPort;
if (port === null) throw new ExpertmeshError('internal', 'blob-thread.js runs only as a worker thread');

const { dir, quantisation } = workerData as BlobThreadData;
const reader = new SourceReader();
const dummyWeights = new DummyWeights(quantisation.bits);
const say = (message: BlobThreadMessage): void => {
  port.postMessage(message);
};

port.on('message', (job: BlobJob) => {
  try {
    say({ kind: 'done', blob: writeBlob(job) });
  } catch (error) {
    say({ kind: 'failed', error: toErrorData(error) });
  }
});

function writeBlob(job: BlobJob): StoreFile {
  const { path } = job.blob;
  const writer = new BlobWriter(join(dir, path));
  const onBytes = (numBytes: number): void => {
    say({ kind: 'progress', numBytes });
  };
  try {
    if (job.kind === 'packed') writePackedBlob(job, quantisation, reader, writer, onBytes);
    else dummyWeights.writeBlob(job.blob, writer, onBytes);
    return { path, ...writer.finish() };
  } finally {
    writer.close();
  }
}
