import { Command } from 'commander';
import { type ExpertStore, openExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { EXIT_FAILED } from '@expertmesh/shared/process/exit-code';
import { findExtraFiles } from '@expertmesh/shared/store-repair/find-faults';
import { interruptible } from '../admin/admin-command.js';
import { addInspectionFlags, countFiles, faultLines, inspect, type InspectionFlags } from '../store/inspection.js';

export function storeVerifyCommand(): Command {
  return addInspectionFlags(new Command('verify'))
    .description('Compare every file with the manifest, by size and sha256. Exit code 1 where one differs.')
    .argument('<store-dir>', 'The store.')
    .action((storeDir: string, flags: InspectionFlags, command: Command) =>
      interruptible(async ({ signal }) => {
        const store = await openExpertStore(storeDir);
        const inspection = await inspect(store, flags, command, signal);
        const extra = await findExtraFiles(store);
        const report = { dir: store.dir, storeId: store.storeId, ...inspection, extra };
        process.stdout.write(
          flags.json === true ? `${JSON.stringify(report, undefined, 2)}\n` : reportText(report, store),
        );
        if (inspection.faults.length > 0) process.exitCode = EXIT_FAILED;
      }),
    );
}

function reportText(
  { numFiles, sizeBytes, faults, extra }: Awaited<ReturnType<typeof inspect>> & { readonly extra: readonly string[] },
  { dir, storeId }: ExpertStore,
): string {
  const extras = extra.map((path) => `extra  ${path}: the manifest does not list it, and nobody reads it\n`).join('');
  const count = countFiles(numFiles, sizeBytes);
  const verdict =
    faults.length === 0
      ? `${dir} is what was packed (${count}, store ${storeId}).\n`
      : `${dir} has ${String(faults.length)} wrong files of ${count}: ` +
        '"expertmesh store repair" fetches them from another copy of store ' +
        `${storeId}.\n`;
  return `${faultLines(faults)}${extras}${verdict}`;
}
