import { serveThread } from '@expertmesh/shared/threads/serve-thread';
import { BlockFiles } from './block-files.js';
import { type DiskContract } from './disk-contract.js';

// The entry point of the thread of disk-archive.ts: it waits for the disk, so that the engine does not.
serveThread<DiskContract>((options) => {
  const files = new BlockFiles(options);
  return {
    ready: files.prefixes(),
    requests: {
      write: ({ prefix, bytes }) => files.write(prefix, bytes),
      read: (prefix) => files.read(prefix),
    },
    messages: {},
  };
});
