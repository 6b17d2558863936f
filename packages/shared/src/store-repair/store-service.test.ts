import { EventEmitter, once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { type ExpertStore } from '../expert-store/expert-store.js';
import { MAX_FILE_READS } from '../limits/limits.js';
import { createStoreService } from './store-service.js';

/** Of a caller that goes away while the file is read: gRPC says so, and takes no more then. */
class LeavingReader extends EventEmitter {
  readonly request = { storeId: 's', path: 'a' };
  cancelled = false;

  write(): boolean {
    this.cancelled = true;
    this.emit('cancelled', 'cancelled');
    return false;
  }

  end(): void {
    this.emit('ended');
  }
}

it('gives the place of a call that is cancelled while its file is read to the next', async () => {
  const file = join(tempDir(), 'a');
  writeFileSync(file, Buffer.alloc(4096));
  const store: Pick<ExpertStore, 'storeId' | 'blob' | 'requireBlobFile'> = {
    storeId: 's',
    blob: (path) => ({ path, sizeBytes: 4096, sha256: '' }),
    requireBlobFile: () => Promise.resolve(file),
  };
  const readFile = createStoreService(store).handlers['readFile'] as unknown as (stream: LeavingReader) => void;
  for (let index = 0; index <= MAX_FILE_READS; index++) {
    const reader = new LeavingReader();
    const ended = once(reader, 'ended', { signal: AbortSignal.timeout(2_000) });
    readFile(reader);
    await expect(ended).resolves.toEqual([]);
  }
}, 10_000);
