import { Command } from 'commander';
import { choice, integer } from '@expertmesh/shared/config/option-value';
import { adminService } from '@expertmesh/shared/rpc/services';
import { adminCommand, jsonFlag, withCoordinator } from '../admin/admin-command.js';
import { expertStatsLines } from '../admin/expert-lines.js';
import { recordRoutes } from '../admin/record-routes.js';
import { show, watchFlag, type ShowFlags } from '../admin/watching.js';
import { styleFor } from '../terminal/style.js';
import { replayCommand } from './replay.js';
import { checkedOption } from '../options/checked-option.js';

export function expertsCommand(): Command {
  return new Command('experts')
    .description('See how experts are used; record routes and replay them on other placements and clusters.')
    .addCommand(statsCommand())
    .addCommand(recordCommand())
    .addCommand(replayCommand());
}

const WINDOWS = ['recent', 'window', 'total'] as const;
const MAX_TOKENS = Number.MAX_SAFE_INTEGER;

type StatsFlags = ShowFlags & { readonly window: string; readonly coactivations?: true };

const statsCommand = (): Command =>
  adminCommand('stats', 'Show how tokens are spread over experts: hottest, unused, balancedness, drift.')
    .addOption(
      checkedOption(
        '--window',
        'recent weighs what is newer more; window is the last full one; total is all since the start.',
        choice(WINDOWS),
      ).default('recent'),
    )
    .option('--coactivations', 'With --json: how often experts were used together, too.')
    .option(...jsonFlag)
    .addOption(watchFlag())
    .action((flags: StatsFlags, command: Command) =>
      withCoordinator(
        command,
        (client, interrupt) =>
          show(flags, interrupt, async () => {
            const request = { window: flags.window, withCoactivations: flags.coactivations === true };
            const stats = await client.unary(adminService.getExpertStats, request);
            return { json: stats, lines: expertStatsLines(stats, styleFor(process.stdout)) };
          }),
        flags.watch === undefined ? 'by itself' : 'by Ctrl-C',
      ),
    );

const recordCommand = (): Command =>
  adminCommand('record', 'Record where the router sends every token of one coordinator, until Ctrl-C.')
    .argument('<file>', 'The trace that is written; docs/traces.md has its format.')
    .addOption(
      checkedOption('--max-tokens', 'End after so many tokens. (default: no limit)', integer('<n>', 1, MAX_TOKENS)),
    )
    .option('--force', 'Replace a file that exists.')
    .action((file: string, flags: { readonly maxTokens?: number; readonly force?: true }, command: Command) =>
      withCoordinator(
        command,
        (client) => recordRoutes(client, file, { maxTokens: flags.maxTokens ?? 0, force: flags.force === true }),
        'by Ctrl-C',
      ),
    );
