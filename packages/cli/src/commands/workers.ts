import { Command } from 'commander';
import { workerJson } from '@expertmesh/shared/admin/admin-json';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type WorkerView } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { adminService, workerService } from '@expertmesh/shared/rpc/services';
import { actor } from '../admin/actor.js';
import { type AdminClient } from '../admin/admin-client.js';
import { adminCommand, jsonFlag, withCoordinator } from '../admin/admin-command.js';
import { askFirst, yesFlag, type YesFlags } from '../admin/ask-first.js';
import { followChange } from '../admin/change-progress.js';
import { show, watchFlag, type ShowFlags } from '../admin/watching.js';
import { workerDetailLines, workerLines } from '../admin/worker-lines.js';
import { styleFor } from '../terminal/style.js';

export function workersCommand(): Command {
  return new Command('workers')
    .description('Show workers, and take them out of service and back while requests run.')
    .addCommand(listCommand())
    .addCommand(describeCommand())
    .addCommand(admissionCommand('cordon', 'Give a worker no new experts; it keeps those that it has.'))
    .addCommand(drainCommand())
    .addCommand(admissionCommand('uncordon', 'Let a cordoned, drained or removed worker have new experts again.'))
    .addCommand(removeCommand())
    .addCommand(resetEpochCommand())
    .addHelpText(
      'after',
      `
To take a box out of the cluster for good:
  expertmesh workers drain box-2     moves its experts to the others
  expertmesh workers remove box-2    forgets it; then stop its process
A drained worker that comes back gets experts after "workers uncordon" and
the next "rebalance".`,
    );
}

const listCommand = (): Command =>
  adminCommand('list', 'List all workers with state, memory, replicas and load.')
    .option(...jsonFlag)
    .addOption(watchFlag())
    .action((flags: ShowFlags, command: Command) =>
      withCoordinator(
        command,
        (client, interrupt) =>
          show(flags, interrupt, async () => {
            const { workers } = await client.unary(adminService.getCluster, {});
            return {
              json: { workers: workers.map(workerJson) },
              lines: workerLines(workers, styleFor(process.stdout)),
            };
          }),
        flags.watch === undefined ? 'by itself' : 'by Ctrl-C',
      ),
    );

const describeCommand = (): Command =>
  adminCommand('describe', 'Show everything that is known of one worker.')
    .argument('<worker-id>', 'As "workers list" shows it.')
    .option(...jsonFlag)
    .addOption(watchFlag())
    .action((workerId: string, flags: ShowFlags, command: Command) =>
      withCoordinator(
        command,
        (client, interrupt) =>
          show(flags, interrupt, async () => {
            const worker = await findWorker(client, workerId);
            return { json: workerJson(worker), lines: workerDetailLines(worker, styleFor(process.stdout)) };
          }),
        flags.watch === undefined ? 'by itself' : 'by Ctrl-C',
      ),
    );

const ADMISSION_METHODS = { cordon: adminService.cordonWorker, uncordon: adminService.uncordonWorker } as const;

const admissionCommand = (verb: keyof typeof ADMISSION_METHODS, description: string): Command =>
  adminCommand(verb, description)
    .argument('<worker-id>', 'As "workers list" shows it.')
    .action((workerId: string, _flags: unknown, command: Command) =>
      withCoordinator(command, async (client) => {
        const { message } = await client.unary(ADMISSION_METHODS[verb], {
          workerId,
          actor: actor(),
          untilRestart: false,
        });
        process.stdout.write(`${message}\n`);
      }),
    );

const drainCommand = (): Command =>
  adminCommand('drain', 'Move all experts of a worker to the others while it goes on serving.')
    .argument('<worker-id>', 'As "workers list" shows it.')
    .addOption(yesFlag())
    .option('--until-restart', 'For an upgrade: once the worker is started again, it gets experts anew.')
    .option('--json', 'Print progress as lines of JSON.')
    .action((workerId: string, flags: YesFlags & ShowFlags & { untilRestart?: true }, command: Command) =>
      withCoordinator(command, async (client) => {
        const { numReplicas } = await findWorker(client, workerId);
        const question = `Move the ${String(numReplicas)} replicas of ${workerId} to other workers?`;
        if (!(await askFirst(command, flags, question, client.signal))) return;
        const changes = client.stream(adminService.drainWorker, {
          workerId,
          actor: actor(),
          untilRestart: flags.untilRestart === true,
        });
        const { message } = await followChange(changes, { asJson: flags.json === true });
        if (flags.json === undefined) process.stdout.write(`${workerId} is drained: ${message}\n`);
      }),
    );

const removeCommand = (): Command =>
  adminCommand('remove', 'Forget a worker that holds no experts, or that is away.')
    .argument('<worker-id>', 'As "workers list" shows it.')
    .addOption(yesFlag())
    .action((workerId: string, flags: YesFlags, command: Command) =>
      withCoordinator(command, async (client) => {
        if (!(await askFirst(command, flags, `Forget worker ${workerId}?`, client.signal))) return;
        const { message } = await client.unary(adminService.removeWorker, {
          workerId,
          actor: actor(),
          untilRestart: false,
        });
        process.stdout.write(`${message}\n`);
      }),
    );

const resetEpochCommand = (): Command =>
  adminCommand('reset-epoch', 'Have a worker take commands again that an epoch from no election holds.')
    .argument('<worker-id>', 'As "workers list" shows it.')
    .addOption(yesFlag())
    .action((workerId: string, flags: YesFlags, command: Command) =>
      withCoordinator(command, async (client) => {
        const { controlAddress } = await findWorker(client, workerId);
        const question = `Have ${workerId} forget which epoch commands it?`;
        if (!(await askFirst(command, flags, question, client.signal))) return;
        const { epoch } = await client.ofWorker(controlAddress, workerService.resetEpoch, {});
        process.stdout.write(`${workerId} was held by epoch ${String(epoch)}, and takes commands again\n`);
      }),
    );

async function findWorker(client: AdminClient, workerId: string): Promise<WorkerView> {
  const { workers } = await client.unary(adminService.getCluster, {});
  const worker = workers.find((candidate) => candidate.workerId === workerId);
  if (worker !== undefined) return worker;
  const known = workers.map((candidate) => candidate.workerId).join(', ');
  throw new ExpertmeshError('not_found', `there is no worker ${workerId}: there are ${known === '' ? 'none' : known}`);
}
