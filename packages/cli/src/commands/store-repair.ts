import { Command } from 'commander';
import { addOptions, readConfig } from '@expertmesh/shared/config/parse-config';
import { tlsContradiction, TLS_OPTIONS } from '@expertmesh/shared/config/tls-options';
import { type ExpertStore, openExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { type FileFault } from '@expertmesh/shared/store-repair/find-faults';
import { type FileSource } from '@expertmesh/shared/store-repair/file-source';
import { mendFiles } from '@expertmesh/shared/store-repair/mend-files';
import { openSource } from '@expertmesh/shared/store-repair/source-of';
import { openOwnSecurity } from '@expertmesh/shared/transport-security/open-transport-security';
import { interruptible } from '../admin/admin-command.js';
import { ProgressBar } from '../progress/progress-bar.js';
import { addInspectionFlags, countFiles, inspect, type InspectionFlags } from '../store/inspection.js';

interface RepairFlags extends InspectionFlags {
  readonly from: string;
}

export function storeRepairCommand(): Command {
  return addOptions(addInspectionFlags(new Command('repair')), TLS_OPTIONS)
    .description('Fetch the files that are missing or damaged from another copy of the same store.')
    .argument('<store-dir>', 'The store. Its own manifest says what is right.')
    .requiredOption(
      '--from <source>',
      'A directory, a worker (box-1:9101) or a coordinator (box-0:9000), or an https:// URL of a directory.',
    )
    .action((storeDir: string, flags: RepairFlags, command: Command) =>
      interruptible(async ({ signal }) => {
        const store = await openExpertStore(storeDir);
        const { faults } = await inspect(store, flags, command, signal);
        if (faults.length > 0) await repair(store, faults, flags, command, signal);
        process.stdout.write(flags.json === true ? jsonOf(store, faults) : textOf(store, faults));
      }),
    );
}

async function repair(
  store: ExpertStore,
  faults: readonly FileFault[],
  { from }: RepairFlags,
  command: Command,
  signal: AbortSignal,
): Promise<void> {
  const security = openOwnSecurity(readConfig(command, TLS_OPTIONS, process.env, tlsContradiction));
  try {
    const source = await openSource(from, store.storeId, security, signal);
    await fetchFrom(source, store, faults, signal);
  } finally {
    security?.close();
  }
}

async function fetchFrom(
  source: FileSource,
  store: ExpertStore,
  faults: readonly FileFault[],
  signal: AbortSignal,
): Promise<void> {
  const bar = new ProgressBar('Fetching');
  try {
    const paths = faults.map(({ path }) => path);
    const onProgress: ProgressBar['update'] = (progress) => {
      bar.update(progress);
    };
    await mendFiles(store, paths, [source], { signal, onProgress });
  } finally {
    bar.stop();
    source.close();
  }
}

const jsonOf = ({ dir, storeId }: ExpertStore, mended: readonly FileFault[]): string =>
  `${JSON.stringify({ dir, storeId, mended }, undefined, 2)}\n`;

function textOf(store: ExpertStore, mended: readonly FileFault[]): string {
  if (mended.length === 0) return `${store.dir} is what was packed: nothing was fetched.\n`;
  const sizeBytes = mended.reduce((sum, { path }) => sum + store.blob(path).sizeBytes, 0);
  const lines = mended.map(({ path, kind }) => `mended  ${path}, which was ${kind}\n`).join('');
  return `${lines}${store.dir} is what was packed again (${countFiles(mended.length, sizeBytes)} fetched).\n`;
}
