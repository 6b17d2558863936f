import { isIP } from 'node:net';
import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { clusterName } from '@expertmesh/shared/config/cluster-options';
import { integer, path } from '@expertmesh/shared/config/option-value';
import { RENEW_WITHIN_DAYS } from '@expertmesh/shared/transport-security/expiry';
import { type Role, ROLES } from '@expertmesh/shared/transport-security/mesh-identity';
import { jsonFlag } from '../admin/admin-command.js';
import { CertificateDirectory, type StoredCertificate } from '../certs/certificate-directory.js';
import { checkedOption } from '../options/checked-option.js';

const AUTHORITY_DAYS = 3650;
const CERTIFICATE_DAYS = 90;
const MAX_DAYS = 36_500;

interface DirFlags {
  readonly dir: string;
  readonly days: number;
  readonly json?: true;
}

export function certsCommand(): Command {
  return new Command('certs')
    .description('Make the certificates by which the processes of a cluster know each other.')
    .addCommand(initCommand())
    .addCommand(issueCommand())
    .addCommand(rotateCommand())
    .addHelpText(
      'after',
      `
  expertmesh certs init
  expertmesh certs issue worker --name box-1
  expertmesh worker --tls-ca certs/ca.crt --tls-cert certs/box-1.crt
      --tls-key certs/box-1.key ...

Give each process ca.crt and its own two files; ca.key stays where it is.
Commands that speak with a cluster need one of role admin. See
docs/security.md.`,
    );
}

const initCommand = (): Command =>
  withDirFlags(new Command('init'), AUTHORITY_DAYS)
    .description('Make an authority, which issues the certificates of one cluster.')
    .addOption(checkedOption('--cluster', 'Name of the cluster.', clusterName()).default('default'))
    .option('--force', 'Overwrite an authority that is there: what it issued is not trusted any more.')
    .action(({ dir, cluster, days, force, json }: DirFlags & { cluster: string; force?: true }) => {
      print([new CertificateDirectory(dir).init(cluster, days, force === true)], json);
    });

interface IssueFlags extends DirFlags {
  readonly name?: string;
  readonly host: readonly string[];
  readonly force?: true;
}

const issueCommand = (): Command =>
  withDirFlags(new Command('issue'), CERTIFICATE_DAYS)
    .description('Issue a certificate for a role.')
    .addArgument(new Argument('<role>', 'What the certificate is for.').choices(ROLES))
    .addOption(new Option('--name <name>', 'Names the files. (default: the role)').argParser(parseName))
    .addOption(
      new Option(
        '--host <host,...>',
        'Host names and addresses, for what checks them, such as grpcurl; processes of a cluster check roles.',
      )
        .argParser(parseHosts)
        .default([], 'none'),
    )
    .option('--force', 'Overwrite a certificate of this name.')
    .action((role: Role, { dir, name = role, host, days, force, json }: IssueFlags) => {
      print([new CertificateDirectory(dir).issue(role, name, host, days, force === true)], json);
    });

interface RotateFlags extends DirFlags {
  readonly within: number;
}

const rotateCommand = (): Command =>
  withDirFlags(new Command('rotate'), CERTIFICATE_DAYS)
    .description('Issue anew what ends soon: same names and roles, new keys. Processes read changed files.')
    .addOption(
      checkedOption('--within', 'Days to the end of a certificate.', integer('<days>', 0, MAX_DAYS)).default(
        RENEW_WITHIN_DAYS,
      ),
    )
    .action(({ dir, within, days, json }: RotateFlags) => {
      const rotated = new CertificateDirectory(dir).rotate(within, days);
      if (rotated.length === 0 && !json) process.stdout.write(`nothing ends within ${String(within)} days\n`);
      else print(rotated, json);
    });

function withDirFlags(command: Command, numDays: number): Command {
  return command
    .addOption(checkedOption('--dir', 'Where the files are.', path('<dir>')).default('certs'))
    .addOption(checkedOption('--days', 'How long it is valid.', integer('<days>', 1, MAX_DAYS)).default(numDays))
    .option(...jsonFlag);
}

function parseName(text: string): string {
  if (/^[A-Za-z0-9._-]{1,64}$/.test(text)) return text;
  throw new InvalidArgumentError('It must be at most 64 letters, digits, ".", "-" and "_".');
}

function parseHosts(text: string, before: readonly string[]): readonly string[] {
  const hosts = text.split(',').map((host) => host.trim());
  const wrong = hosts.find((host) => isIP(host) === 0 && !HOST_NAME.test(host));
  if (wrong === undefined) return [...before, ...hosts];
  throw new InvalidArgumentError(`"${wrong}" is no host name or address.`);
}

const HOST_NAME = /^(\*\.)?[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/;

function print(certificates: readonly StoredCertificate[], json: true | undefined): void {
  const text = json ? JSON.stringify({ certificates }, undefined, 2) : certificates.map(describe).join('\n');
  process.stdout.write(`${text}\n`);
}

function describe({ role, cluster, validTo, certFile, keyFile }: StoredCertificate): string {
  const what = role === 'authority' ? 'authority' : `role ${role}`;
  return `${certFile} (${what} in cluster ${cluster}, until ${validTo.slice(0, 10)}), key ${keyFile}`;
}
