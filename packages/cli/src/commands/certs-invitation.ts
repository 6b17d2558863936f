import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { text as textOf } from 'node:stream/consumers';
import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { type NetworkAddress, parseNetworkAddress } from '@expertmesh/shared/config/network-address';
import { integer } from '@expertmesh/shared/config/option-value';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Role, ROLES } from '@expertmesh/shared/transport-security/mesh-identity';
import { interruptible } from '../admin/admin-command.js';
import { CertificateDirectory } from '../certs/certificate-directory.js';
import { invite } from '../certs/invitation.js';
import { join } from '../certs/join.js';
import { checkedOption } from '../options/checked-option.js';
import { type CertificateFlags, printCertificates, withCertificateFlags, withDirFlags } from './certs-flags.js';

const DEFAULT_PORT = 9443;
const MAX_MINUTES = 1_440;

interface InviteFlags extends CertificateFlags {
  readonly at: NetworkAddress;
  readonly minutes: number;
}

export function inviteCommand(): Command {
  return withCertificateFlags(new Command('invite'))
    .description('Wait for a box to fetch its certificate, with a token that works once.')
    .addArgument(new Argument('<role>', 'What the certificate is for.').choices(ROLES))
    .addOption(
      new Option('--at <host[:port]>', `Where the box reaches this machine; the port is ${String(DEFAULT_PORT)}.`)
        .argParser(parseAddress)
        .makeOptionMandatory(),
    )
    .addOption(checkedOption('--minutes', 'How long to wait.', integer('<minutes>', 1, MAX_MINUTES)).default(15))
    .action((role: Role, { dir, name = role, host: hosts, days: numDays, at, minutes, json }: InviteFlags) =>
      interruptible(async ({ signal }) => {
        const directory = new CertificateDirectory(dir);
        const onIssued = (cert: string): void => {
          directory.record(name, cert);
        };
        const invitation = await invite(directory.authority, { role, name, hosts, numDays }, at, onIssued);
        try {
          const { token } = invitation;
          process.stdout.write(
            json ? `${JSON.stringify({ token })}\n` : `on the box: expertmesh certs join ${token}\n`,
          );
          await Promise.race([invitation.accepted, lateness(minutes, signal)]);
        } finally {
          invitation.close();
        }
      }),
    );
}

async function lateness(minutes: number, signal: AbortSignal): Promise<never> {
  await setTimeout(minutes * 60_000, undefined, { ref: false, signal }).catch(() => undefined);
  if (signal.aborted) throw new ExpertmeshError('cancelled', 'the invitation has ended');
  throw new ExpertmeshError('deadline_exceeded', `nobody came within ${String(minutes)} minutes`);
}

interface JoinFlags {
  readonly dir: string;
  readonly force?: true;
  readonly json?: true;
}

export function joinCommand(): Command {
  return withDirFlags(new Command('join'))
    .description('Fetch the certificate that "certs invite" waits to give.')
    .argument('<token>', 'As it was printed; @FILE has it in a file, and - in the input.')
    .option('--force', 'Overwrite a certificate of this name.')
    .action(async (token: string, { dir, force, json }: JoinFlags) => {
      const joined = await join(await readToken(token));
      printCertificates([new CertificateDirectory(dir).accept(joined, force === true)], json);
    });
}

async function readToken(text: string): Promise<string> {
  if (text === '-') return textOf(process.stdin);
  return text.startsWith('@') ? readFileSync(text.slice(1), 'utf8') : text;
}

function parseAddress(text: string): NetworkAddress {
  const address = parseNetworkAddress(text, DEFAULT_PORT);
  if (address !== undefined) return address;
  throw new InvalidArgumentError('It must be an address such as box-0 or 10.0.0.5:9443.');
}
