import { type BenchContext, type BenchStore } from '../harness/bench-context.js';
import { readIntoPageCache } from '../harness/dummy-store.js';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { OwnCluster } from '../harness/own-cluster.js';
import { commonFlags } from './own-flags.js';
import { runRounds } from './rounds.js';
import { fileCopyBytesPerSecond } from '../limits/machine-limits.js';

const PHASE_INDEX = 3;
const MAX_MODEL_LEN = 1024;

/**
 * How long `expertmesh up` takes until it is ready, with the weights in the page cache: at its first start, which
 * hashes every blob, and at the next one, which knows that they are as they were.
 */
export async function runReadyPhase(context: BenchContext, { store, bytes }: BenchStore): Promise<void> {
  const { options, samples } = context;
  if (!options.measures.has('ready')) return;
  const flags = ['--workers', '1', ...commonFlags(options, MAX_MODEL_LEN)];
  const start = async (round: number, name: string, cacheDir: string): Promise<void> => {
    const cluster = await OwnCluster.start({ name, storeDir: store.dir, flags: [...flags, '--cache-dir', cacheDir] });
    await cluster.stop();
    samples.add(`${name}.readySeconds`, round, cluster.readySeconds);
    samples.add(`${name}.loadRate`, round, bytes.total / cluster.readySeconds / 1e9);
  };
  const startTwice = async (round: number): Promise<void> => {
    const cacheDir = tempDir();
    await start(round, 'one.first', cacheDir);
    await start(round, 'one.next', cacheDir);
  };
  const { path } = store.manifest.blobs.reduce((a, b) => (b.sizeBytes > a.sizeBytes ? b : a));
  readIntoPageCache(store);
  await runRounds(context, PHASE_INDEX, [
    {
      title: 'copying from the page cache',
      run: (round) => {
        samples.add('limit.fileCopy', round, fileCopyBytesPerSecond(`${store.dir}/${path}`) / 1e9);
      },
    },
    { title: 'two starts until ready', run: startTwice, isOnce: options.isQuick },
  ]);
}
