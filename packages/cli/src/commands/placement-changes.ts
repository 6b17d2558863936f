import { type Command } from 'commander';
import { integer } from '@expertmesh/shared/config/option-value';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { ChangeProgress_State as State, type ChangeProgress } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { adminService } from '@expertmesh/shared/rpc/services';
import { actor } from '../admin/actor.js';
import { type AdminClient } from '../admin/admin-client.js';
import { adminCommand, jsonFlag, withCoordinator } from '../admin/admin-command.js';
import { askFirst, yesFlag, type YesFlags } from '../admin/ask-first.js';
import { followChange } from '../admin/change-progress.js';
import { readPlanFile, requirePlacement, writePlanFile, type CompletePlan } from '../admin/plan-file.js';
import { addPlanFlags, planMs, planRequestOf, type PlanFlags } from '../admin/plan-flags.js';
import { planLines } from '../admin/plan-lines.js';
import { styleFor } from '../terminal/style.js';
import { checkedArgument } from '../options/checked-option.js';

interface JsonFlags {
  readonly json?: true;
}

export function planCommand(): Command {
  return addPlanFlags(adminCommand('plan', 'Compute a placement and what it promises. Nothing is changed.'))
    .option('--out <file>', 'Write the plan to a file, for "placement apply".')
    .option(...jsonFlag)
    .action((flags: PlanFlags & JsonFlags & { readonly out?: string }, command: Command) =>
      withCoordinator(command, async (client) => {
        const plan = await client.unary(adminService.planPlacement, planRequestOf(flags), planMs(flags));
        if (flags.out !== undefined) await writePlanFile(flags.out, plan);
        if (flags.json) process.stdout.write(`${JSON.stringify(plan, undefined, 2)}\n`);
        else {
          printPlan(requirePlacement(plan));
          if (flags.out !== undefined)
            process.stdout.write(`Wrote ${flags.out}: "expertmesh placement apply ${flags.out}" makes it so.\n`);
        }
      }),
    );
}

export function applyCommand(): Command {
  return adminCommand('apply', 'Make a plan the placement in force, layer by layer, while requests run.')
    .argument('<file>', 'As "placement plan --out" wrote it.')
    .addOption(yesFlag())
    .option('--json', 'Print progress as lines of JSON.')
    .addHelpText(
      'after',
      `
A plan is refused when another placement came into force after it was made.
What fails or is too slow is taken back. Ctrl-C leaves the change to go on.`,
    )
    .action((file: string, flags: YesFlags & JsonFlags, command: Command) =>
      withCoordinator(command, async (client) => {
        const plan = await readPlanFile(file);
        const { placementVersion } = await client.unary(adminService.getCluster, {});
        if (plan.baseVersion !== placementVersion)
          throw new ExpertmeshError(
            'failed_precondition',
            `${file} was made from placement ${String(plan.baseVersion)}, ` +
              `and ${String(placementVersion)} is in force by now: make a new plan with "expertmesh placement plan ` +
              `--out ${file}"`,
          );
        await applyPlan(command, client, plan, flags);
      }),
    );
}

/** Shows a plan and what is to be said of it, asks, and makes it so. */
export async function applyPlan(
  command: Command,
  client: AdminClient,
  plan: CompletePlan,
  flags: YesFlags & JsonFlags,
  remark = '',
): Promise<void> {
  if (flags.json === undefined) printPlan(plan);
  if (flags.json === undefined && remark !== '') process.stdout.write(`${remark}\n`);
  const question = `Apply this plan as placement ${String(plan.placement.version)}?`;
  if (!(await askFirst(command, flags, question, client.signal))) return;
  const changes = client.stream(adminService.applyPlacement, { plan, actor: actor() });
  printEnd(await followChange(changes, { asJson: flags.json === true }), flags);
}

export function rollbackCommand(): Command {
  return adminCommand('rollback', 'Apply a former placement again, as a new version.')
    .addArgument(
      checkedArgument(
        '[version]',
        'As "placement history" shows it. (default: the one before)',
        integer('', 1, MAX_VERSION),
      ),
    )
    .addOption(yesFlag())
    .option('--json', 'Print progress as lines of JSON.')
    .action((version: number | undefined, flags: YesFlags & JsonFlags, command: Command) =>
      withCoordinator(command, async (client) => {
        const { placementVersion: expectedVersion } = await client.unary(adminService.getCluster, {});
        const toVersion = version ?? (await versionBefore(client, expectedVersion));
        if (toVersion === expectedVersion)
          throw new ExpertmeshError('invalid_argument', `placement ${String(toVersion)} is in force already`);
        const question = `Go from placement ${String(expectedVersion)} back to what ${String(toVersion)} was?`;
        if (!(await askFirst(command, flags, question, client.signal))) return;
        const request = { toVersion, expectedVersion, actor: actor() };
        const changes = client.stream(adminService.rollbackPlacement, request);
        printEnd(await followChange(changes, { asJson: flags.json === true }), flags);
      }),
    );
}

const MAX_VERSION = Number.MAX_SAFE_INTEGER;

async function versionBefore(client: AdminClient, inForce: number): Promise<number> {
  const { placements } = await client.unary(adminService.listPlacements, { limit: 0 });
  const before = placements.map(({ version }) => version).filter((version) => version < inForce);
  if (before.length > 0) return Math.max(...before);
  throw new ExpertmeshError(
    'failed_precondition',
    `placement ${String(inForce)} is the first: there is none before it`,
  );
}

export function printPlan(plan: CompletePlan): void {
  process.stdout.write(`${planLines(plan, styleFor(process.stdout)).join('\n')}\n`);
}

/** @param end the last message of a change that was not taken back. */
export function printEnd({ state, toVersion, message }: ChangeProgress, { json }: JsonFlags): void {
  if (json) return;
  const isNeeded = state !== State.STATE_NOT_NEEDED;
  const text = isNeeded ? `Placement ${String(toVersion)} is in force.` : `Nothing was changed: ${message}`;
  process.stdout.write(`${text}\n`);
}
