import { type Command } from 'commander';
import { clusterJson } from '@expertmesh/shared/admin/admin-json';
import { decimal } from '@expertmesh/shared/config/option-value';
import { type ClusterView } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { adminService } from '@expertmesh/shared/rpc/services';
import { type AdminClient } from '../admin/admin-client.js';
import { adminCommand, jsonFlag, withCoordinator } from '../admin/admin-command.js';
import { topLine, topLines } from '../admin/top-lines.js';
import { LiveScreen } from '../terminal/live-screen.js';
import { onQuitKey } from '../terminal/quit-keys.js';
import { styleFor } from '../terminal/style.js';
import { checkedOption } from '../options/checked-option.js';

interface TopFlags {
  readonly interval: number;
  readonly once?: true;
  readonly json?: true;
}

const MAX_INTERVAL_SECONDS = 60;

export function topCommand(): Command {
  return adminCommand(
    'top',
    'Watch the cluster live: workers, tok/s, queue, balancedness, hottest experts. q or Ctrl-C ends it.',
  )
    .addOption(
      checkedOption(
        '--interval',
        'Seconds between two looks.',
        decimal('<seconds>', 0.1, MAX_INTERVAL_SECONDS),
      ).default(1),
    )
    .option('--once', 'Print the whole screen once.')
    .option(...jsonFlag)
    .addHelpText('after', '\nWhere the output is no terminal, each look is one line.')
    .action((flags: TopFlags, command: Command) =>
      withCoordinator(
        command,
        (client, interrupt) => (flags.once ? printOnce(client, flags) : follow(client, interrupt, flags)),
        flags.once ? 'by itself' : 'by Ctrl-C',
      ),
    );
}

async function printOnce(client: AdminClient, { json }: TopFlags): Promise<void> {
  const view = await client.unary(adminService.getCluster, {});
  const text = json
    ? JSON.stringify(clusterJson(view), undefined, 2)
    : topLines(view, styleFor(process.stdout)).join('\n');
  process.stdout.write(`${text}\n`);
}

async function follow(client: AdminClient, interrupt: AbortController, { interval, json }: TopFlags): Promise<void> {
  const views = client.stream(adminService.watchCluster, { intervalMs: Math.round(1000 * interval) });
  if (json === true || !process.stdout.isTTY) {
    for await (const view of views)
      process.stdout.write(`${json ? JSON.stringify(clusterJson(view)) : topLine(view)}\n`);
    return;
  }
  await redraw(views, interrupt);
}

async function redraw(views: AsyncIterable<ClusterView>, interrupt: AbortController): Promise<void> {
  const screen = new LiveScreen(process.stdout);
  const style = styleFor(process.stdout);
  const releaseKeys = onQuitKey(process.stdin, () => interrupt.abort());
  try {
    for await (const view of views) screen.draw([...topLines(view, style), '', style.dim('q ends')]);
  } finally {
    releaseKeys();
    screen.close();
  }
}
