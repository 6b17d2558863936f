import { Command } from 'commander';
import { integer } from '@expertmesh/shared/config/option-value';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type PlacementView } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { diffPlacements } from '@expertmesh/shared/placement/placement-diff';
import { adminService } from '@expertmesh/shared/rpc/services';
import { type AdminClient } from '../admin/admin-client.js';
import { adminCommand, jsonFlag, withCoordinator } from '../admin/admin-command.js';
import { historyLines } from '../admin/history-lines.js';
import { readPlanFile } from '../admin/plan-file.js';
import { moveLines } from '../admin/plan-lines.js';
import { toPlacement } from '../admin/placement-loads.js';
import { layerLines, placementLines } from '../admin/placement-lines.js';
import { show, watchFlag, type ShowFlags } from '../admin/watching.js';
import { styleFor } from '../terminal/style.js';
import { applyCommand, planCommand, rollbackCommand } from './placement-changes.js';
import { checkedOption } from '../options/checked-option.js';

export function placementCommand(): Command {
  return new Command('placement')
    .description('Show, plan and change where experts are, while requests run.')
    .addCommand(showCommand())
    .addCommand(planCommand())
    .addCommand(diffCommand())
    .addCommand(applyCommand())
    .addCommand(historyCommand())
    .addCommand(rollbackCommand())
    .addHelpText(
      'after',
      `
A change goes in three steps, of which the first two change nothing:
  expertmesh placement plan --replicas 8 --out plan.json
  expertmesh placement diff plan.json
  expertmesh placement apply plan.json
"rebalance" does all of them at once.`,
    );
}

const MAX_LAYER_INDEX = 100_000;
const MAX_LISTED = 1000;
const MAX_VERSION = Number.MAX_SAFE_INTEGER;
const FALLBACK_WIDTH = 100;

type PlacementShowFlags = ShowFlags & { readonly layer?: number; readonly version?: number };

const showCommand = (): Command =>
  adminCommand('show', 'Show what each worker holds and how tokens of each layer are spread, in the colours of heat.')
    .addOption(
      checkedOption('--layer', 'Show the experts of this layer, hottest first.', integer('<n>', 0, MAX_LAYER_INDEX)),
    )
    .addOption(
      checkedOption('--version', 'A former placement. (default: the one in force)', integer('<n>', 1, MAX_VERSION)),
    )
    .option(...jsonFlag)
    .addOption(watchFlag())
    .action((flags: PlacementShowFlags, command: Command) =>
      withCoordinator(
        command,
        (client, interrupt) =>
          show(flags, interrupt, async () => {
            const view = await client.unary(adminService.getPlacement, { version: flags.version ?? 0 });
            const style = styleFor(process.stdout);
            // A pipe has no columns.
            const width = process.stdout.isTTY ? process.stdout.columns : FALLBACK_WIDTH;
            const lines =
              flags.layer === undefined ? placementLines(view, style, width) : layerLines(view, flags.layer, style);
            return { json: view, lines };
          }),
        flags.watch === undefined ? 'by itself' : 'by Ctrl-C',
      ),
    );

const diffCommand = (): Command =>
  adminCommand('diff', 'Show what moves between two placements.')
    .argument('<a>', 'A version or a file of a plan; alone, it is compared with the placement in force.')
    .argument('[b]', 'A version or a file of a plan.')
    .option(...jsonFlag)
    .action((a: string, b: string | undefined, flags: ShowFlags, command: Command) =>
      withCoordinator(command, async (client) => {
        const [before, after] =
          b === undefined
            ? [await inForce(client), await placementOf(client, a)]
            : [await placementOf(client, a), await placementOf(client, b)];
        // Sizes of experts are the coordinator's to know: bytes are in a plan.
        const { moves, numLoads, numDrops } = diffPlacements(toPlacement(before), toPlacement(after), 0);
        const versions = { from: before.version, to: after.version, numLoads, numDrops };
        const title =
          `from placement ${String(before.version)} to ${String(after.version)}: ` +
          `${String(numLoads)} replicas come, ${String(numDrops)} go`;
        process.stdout.write(
          flags.json
            ? `${JSON.stringify({ ...versions, moves }, undefined, 2)}\n`
            : `${[title, ...moveLines(moves)].join('\n')}\n`,
        );
      }),
    );

const inForce = (client: AdminClient): Promise<PlacementView> =>
  client.unary(adminService.getPlacement, { version: 0 });

async function placementOf(client: AdminClient, versionOrFile: string): Promise<PlacementView> {
  if (!/^\d+$/.test(versionOrFile)) return (await readPlanFile(versionOrFile)).placement;
  const version = Number(versionOrFile);
  if (version === 0) throw new ExpertmeshError('invalid_argument', 'there is no placement 0: versions begin with 1');
  return client.unary(adminService.getPlacement, { version });
}

const historyCommand = (): Command =>
  adminCommand('history', 'List placements, newest first.')
    .addOption(checkedOption('--limit', 'How many.', integer('<n>', 1, MAX_LISTED)).default(20))
    .option(...jsonFlag)
    .action((flags: ShowFlags & { readonly limit: number }, command: Command) =>
      withCoordinator(command, async (client) => {
        const [history, { placementVersion }] = await Promise.all([
          client.unary(adminService.listPlacements, { limit: flags.limit }),
          client.unary(adminService.getCluster, {}),
        ]);
        process.stdout.write(
          flags.json
            ? `${JSON.stringify({ inForce: placementVersion, ...history }, undefined, 2)}\n`
            : `${historyLines(history.placements, placementVersion, styleFor(process.stdout)).join('\n')}\n`,
        );
      }),
    );
