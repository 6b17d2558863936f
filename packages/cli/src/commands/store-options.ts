import { type Command } from 'commander';
import { choice, integer } from '@expertmesh/shared/config/option-value';
import { addOptions, readConfig } from '@expertmesh/shared/config/parse-config';
import { VERIFICATION_OPTIONS } from '@expertmesh/shared/config/verification-options';
import { formatBytes } from '@expertmesh/shared/expert-store/format-bytes';
import {
  BLOCK_SIZES,
  WEIGHT_BITS,
  type BlockSize,
  type WeightBits,
} from '@expertmesh/shared/expert-store/quantisation';
import { BLOCK_SIZE_MEANING, DEFAULT_BLOCK_SIZE } from '@expertmesh/shared/expert-store/writing/choose-quantisation';
import { type WriteOptions, type WrittenStore } from '@expertmesh/shared/expert-store/writing/write-store';
import { checkedOption } from '../options/checked-option.js';
import { ProgressBar } from '../progress/progress-bar.js';

/** Flags of the commands that write an expert store. */
export interface StoreFlags {
  readonly bits: WeightBits;
  readonly blockSize?: BlockSize;
  readonly numThreads?: number;
  readonly force?: true;
}

/** Files that were just written are recorded as verified, so that the first start need not hash them. */
const RECORD_OPTIONS = { cacheDir: VERIFICATION_OPTIONS.cacheDir } as const;

/** @param bitsMeaning what --bits means for where the weights come from. */
export function addStoreFlags(command: Command, bitsMeaning: string): Command {
  return addOptions(command, RECORD_OPTIONS)
    .addOption(checkedOption('--bits', bitsMeaning, choice(WEIGHT_BITS)).default(4))
    .addOption(
      checkedOption(
        '--block-size',
        `${BLOCK_SIZE_MEANING} (default: ${String(DEFAULT_BLOCK_SIZE)})`,
        choice(BLOCK_SIZES),
      ),
    )
    .addOption(checkedOption('--num-threads', 'Threads. (default: the number of cores)', integer('<n>', 1, 1024)))
    .option('--force', 'Replace a store that exists, and work that was begun with other options.');
}

/**
 * Runs the writing of a store with a progress bar, and says what became of it. SIGINT and SIGTERM interrupt it in an
 * orderly way; a second one ends the process at once.
 */
export async function runStoreCommand(
  command: Command,
  label: string,
  write: (options: Pick<WriteOptions, 'onProgress' | 'signal' | 'cacheDir'>) => Promise<WrittenStore>,
): Promise<void> {
  const { cacheDir } = readConfig(command, RECORD_OPTIONS, process.env);
  const interrupt = new AbortController();
  const onSignal = (): void => {
    interrupt.abort();
  };
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  const bar = new ProgressBar(label);
  try {
    const onProgress: WriteOptions['onProgress'] = (progress) => {
      bar.update(progress);
    };
    const store = await write({ onProgress, signal: interrupt.signal, cacheDir });
    bar.stop();
    process.stdout.write(summary(store));
  } finally {
    bar.stop();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

function summary({ storeDir, sizeBytes, numBlobs, numResumedBlobs }: WrittenStore): string {
  const resumed = numResumedBlobs === 0 ? '' : `, ${String(numResumedBlobs)} of them by an earlier run`;
  return `Wrote ${storeDir}: ${formatBytes(sizeBytes)} in ${String(numBlobs)} blobs${resumed}.\n`;
}
