import { type Command } from 'commander';
import { integer } from '@expertmesh/shared/config/option-value';
import { adminService } from '@expertmesh/shared/rpc/services';
import { adminCommand, jsonFlag, withCoordinator } from '../admin/admin-command.js';
import { auditLines } from '../admin/audit-lines.js';
import { checkedOption } from '../options/checked-option.js';

interface AuditFlags {
  readonly limit: number;
  readonly json?: true;
}

/** As many as a cluster keeps. */
const MAX_LISTED = 200;

export function auditCommand(): Command {
  return adminCommand('audit', 'List who changed what, newest first: operators, and the cluster itself.')
    .addOption(checkedOption('--limit', 'How many.', integer('<n>', 1, MAX_LISTED)).default(20))
    .option(...jsonFlag)
    .action(({ limit, json }: AuditFlags, command: Command) =>
      withCoordinator(command, async (client) => {
        const log = await client.unary(adminService.listAudit, { limit });
        process.stdout.write(
          json ? `${JSON.stringify(log, undefined, 2)}\n` : `${auditLines(log.records).join('\n')}\n`,
        );
      }),
    );
}
