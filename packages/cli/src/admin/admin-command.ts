import { Command } from 'commander';
import { ADMIN_OPTIONS } from '@expertmesh/shared/config/admin-options';
import { addOptions, readConfig } from '@expertmesh/shared/config/parse-config';
import { tlsContradiction } from '@expertmesh/shared/config/tls-options';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { EXIT_FAILED } from '@expertmesh/shared/process/exit-code';
import { openOwnSecurity } from '@expertmesh/shared/transport-security/open-transport-security';
import { AdminClient } from './admin-client.js';

/** A command that speaks with a coordinator, which --coordinator names. */
export function adminCommand(name: string, description: string): Command {
  return addOptions(new Command(name).description(description), ADMIN_OPTIONS);
}

export const jsonFlag = ['--json', 'Print JSON.'] as const;

/** Whether Ctrl-C is how the command is meant to end. */
type Ending = 'by itself' | 'by Ctrl-C';

/**
 * Runs a command with a connection to its coordinator. Ctrl-C and SIGTERM end its calls in an orderly way, and a second
 * one the process; the exit code is then 1, or 0 where the command has no other end.
 */
export async function withCoordinator(
  command: Command,
  run: (client: AdminClient, interrupt: AbortController) => Promise<void>,
  ending: Ending = 'by itself',
): Promise<void> {
  const config = readConfig(command, ADMIN_OPTIONS, process.env, tlsContradiction);
  await interruptible(async (interrupt) => {
    const security = openOwnSecurity(config);
    const client = new AdminClient(config.coordinator, interrupt.signal, config.adminKey, security);
    try {
      await run(client, interrupt);
    } finally {
      client.close();
      security?.close();
    }
  }, ending);
}

export async function interruptible(
  run: (interrupt: AbortController) => Promise<void>,
  ending: Ending = 'by itself',
): Promise<void> {
  const interrupt = new AbortController();
  const onSignal = (): void => {
    interrupt.abort();
  };
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    await run(interrupt);
  } catch (thrown) {
    const isInterrupted = interrupt.signal.aborted && ExpertmeshError.from(thrown).code === 'cancelled';
    if (!isInterrupted) throw thrown;
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
  if (interrupt.signal.aborted && ending === 'by itself') process.exitCode = EXIT_FAILED;
}
