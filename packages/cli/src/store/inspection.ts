import { type Command } from 'commander';
import { integer } from '@expertmesh/shared/config/option-value';
import { addOptions, readConfig } from '@expertmesh/shared/config/parse-config';
import { VERIFICATION_OPTIONS } from '@expertmesh/shared/config/verification-options';
import { formatBytes } from '@expertmesh/shared/expert-store/format-bytes';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { machineResources } from '@expertmesh/shared/process/machine';
import { allPaths, type FileFault, findFaults } from '@expertmesh/shared/store-repair/find-faults';
import { checkedOption } from '../options/checked-option.js';
import { ProgressBar } from '../progress/progress-bar.js';

/** Of the commands that look at a store's files. */
export interface InspectionFlags {
  readonly partial?: true;
  readonly resume?: true;
  readonly numThreads?: number;
  readonly json?: true;
}

const RECORD_OPTIONS = { cacheDir: VERIFICATION_OPTIONS.cacheDir } as const;

export function addInspectionFlags(command: Command): Command {
  return addOptions(command, RECORD_OPTIONS)
    .option('--partial', "Take missing blobs for right: a worker's disk needs only its own experts.")
    .option('--resume', 'Skip files that an earlier run found right and that have not changed since.')
    .addOption(checkedOption('--num-threads', 'Threads. (default: the number of cores)', integer('<n>', 1, 1024)))
    .option('--json', 'Print JSON.');
}

export interface Inspection {
  readonly numFiles: number;
  readonly sizeBytes: number;
  readonly faults: readonly FileFault[];
}

/** Compares all files of a store with its manifest, with a progress bar. */
export async function inspect(
  store: ExpertStore,
  flags: InspectionFlags,
  command: Command,
  signal: AbortSignal,
): Promise<Inspection> {
  const { cacheDir } = readConfig(command, RECORD_OPTIONS, process.env);
  const paths = allPaths(store);
  const bar = new ProgressBar('Verifying');
  try {
    const found = await findFaults(store, paths, {
      mode: flags.resume === true ? 'changed' : 'always',
      numThreads: flags.numThreads ?? machineResources().numCores,
      cacheDir,
      signal,
      onProgress: (progress) => {
        bar.update(progress);
      },
    });
    const faults = found.filter(({ kind }) => kind === 'damaged' || flags.partial !== true);
    const sizeBytes = paths.reduce((sum, path) => sum + store.blob(path).sizeBytes, 0);
    return { numFiles: paths.length, sizeBytes, faults };
  } finally {
    bar.stop();
  }
}

export function faultLines(faults: readonly FileFault[]): string {
  return faults.map(({ path, kind, reason }) => `${kind}  ${path}: ${reason}\n`).join('');
}

export function countFiles(numFiles: number, sizeBytes: number): string {
  return `${String(numFiles)} files, ${formatBytes(sizeBytes)}`;
}
