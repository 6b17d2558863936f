import { type Command } from 'commander';
import { progressJson } from '@expertmesh/shared/admin/admin-json';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type ChangeProgress } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { adminService } from '@expertmesh/shared/rpc/services';
import { actor } from '../admin/actor.js';
import { type AdminClient } from '../admin/admin-client.js';
import { adminCommand, withCoordinator } from '../admin/admin-command.js';
import { yesFlag, type YesFlags } from '../admin/ask-first.js';
import { followChange } from '../admin/change-progress.js';
import { requirePlacement } from '../admin/plan-file.js';
import { addPlanFlags, planMs, planRequestOf, type PlanFlags } from '../admin/plan-flags.js';
import { applyPlan, printEnd, printPlan } from './placement-changes.js';

type RebalanceFlags = PlanFlags & YesFlags & { readonly dryRun?: true; readonly json?: true };

export function rebalanceCommand(): Command {
  return addPlanFlags(
    adminCommand('rebalance', 'Plan from the loads observed, show the plan and what it gains, and apply it.'),
  )
    .option('--dry-run', 'Show the plan and change nothing.')
    .addOption(yesFlag())
    .option('--json', 'Print progress as lines of JSON.')
    .addHelpText(
      'after',
      `
It asks, however small the gain is. With --yes nothing is moved for less than
the coordinator's --rebalance-min-gain, unless --replicas, --survive or
--workers wants the change anyway. Where there is nothing to change, the exit
code is 0; it is 1 after a no, and for a change that was taken back.`,
    )
    .action((flags: RebalanceFlags, command: Command) =>
      withCoordinator(command, (client) =>
        flags.yes && !flags.dryRun ? rebalanceAtOnce(client, flags) : rebalanceAsked(command, client, flags),
      ),
    );
}

async function rebalanceAtOnce(client: AdminClient, flags: RebalanceFlags): Promise<void> {
  const end = await followChange(rebalance(client, flags, false), {
    asJson: flags.json === true,
    onPlan: ({ plan }) => {
      if (flags.json === undefined && plan?.placement !== undefined) printPlan(requirePlacement(plan));
    },
  });
  printEnd(end, flags);
}

// What is applied is the plan that was shown, not another one made after the answer.
async function rebalanceAsked(command: Command, client: AdminClient, flags: RebalanceFlags): Promise<void> {
  const told: ChangeProgress[] = [];
  for await (const progress of rebalance(client, flags, true)) told.push(progress);
  const plan = told.find((progress) => progress.plan !== undefined)?.plan;
  const end = told.at(-1);
  if (end === undefined) throw new ExpertmeshError('internal', 'the coordinator answered a rebalance with nothing');
  if (flags.dryRun && flags.json)
    for (const progress of told) process.stdout.write(`${JSON.stringify(progressJson(progress))}\n`);
  else if (plan === undefined) printEnd(end, flags);
  else if (flags.dryRun) {
    printPlan(requirePlacement(plan));
    printEnd(end, flags);
  } else {
    const { placement, ...rest } = requirePlacement(plan);
    const named = { ...rest, placement: { ...placement, reason: 'rebalanced' } };
    await applyPlan(command, client, named, flags, end.message);
  }
}

const rebalance = (client: AdminClient, flags: RebalanceFlags, dryRun: boolean): AsyncIterable<ChangeProgress> =>
  client.stream(adminService.rebalance, { plan: planRequestOf(flags), dryRun, actor: actor() }, planMs(flags));
