import { join } from 'node:path';
import { serveThread } from '../../threads/serve-thread.js';
import { type StoreFile } from '../manifest.js';
import { SourceReader } from '../pack/source-reader.js';
import { writePackedBlob } from '../pack/write-packed-blob.js';
import { type Quantisation } from '../quantisation.js';
import { DummyWeights } from '../synth/dummy-weights.js';
import { type BlobContract, type BlobJob } from './blob-job.js';
import { BlobWriter } from './blob-writer.js';

// The entry point of a thread of blob-threads.ts: writes one blob after another, as it is told.
serveThread<BlobContract>(({ dir, quantisation }) => {
  const sources = { quantisation, reader: new SourceReader(), dummyWeights: new DummyWeights(quantisation.bits) };
  return {
    ready: undefined,
    requests: { write: (job, { progress }) => writeBlob(dir, job, sources, progress) },
    messages: {},
  };
});

interface BlobSources {
  readonly quantisation: Quantisation;
  readonly reader: SourceReader;
  readonly dummyWeights: DummyWeights;
}

function writeBlob(dir: string, job: BlobJob, sources: BlobSources, onBytes: (numBytes: number) => void): StoreFile {
  const { path } = job.blob;
  const { quantisation, reader, dummyWeights } = sources;
  const writer = new BlobWriter(join(dir, path));
  try {
    if (job.kind === 'packed') writePackedBlob(job, quantisation, reader, writer, onBytes);
    else dummyWeights.writeBlob(job.blob, writer, onBytes);
    return { path, ...writer.finish() };
  } finally {
    writer.close();
  }
}
