import { isIP } from 'node:net';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { integer, path } from '@expertmesh/shared/config/option-value';
import { jsonFlag } from '../admin/admin-command.js';
import { type StoredCertificate } from '../certs/certificate-directory.js';
import { CERTIFICATE_NAME } from '../certs/join.js';
import { checkedOption } from '../options/checked-option.js';

const CERTIFICATE_DAYS = 90;
const MAX_DAYS = 36_500;

export interface DirFlags {
  readonly dir: string;
  readonly json?: true;
}

/** Where certificates are, and how they are shown. */
export function withDirFlags(command: Command): Command {
  return command
    .addOption(checkedOption('--dir', 'Where the files are.', path('<dir>')).default('certs'))
    .option(...jsonFlag);
}

export interface CertificateFlags extends DirFlags {
  readonly name?: string;
  readonly host: readonly string[];
  readonly days: number;
}

/** What a new certificate says, beside its role. */
export function withCertificateFlags(command: Command): Command {
  return withDirFlags(command)
    .addOption(new Option('--name <name>', 'Names the files. (default: the role)').argParser(parseName))
    .addOption(
      new Option(
        '--host <host,...>',
        'Host names and addresses, for what checks them, such as grpcurl; processes of a cluster check roles.',
      )
        .argParser(parseHosts)
        .default([], 'none'),
    )
    .addOption(daysOption(CERTIFICATE_DAYS));
}

export function daysOption(numDays = CERTIFICATE_DAYS): Option {
  return checkedOption('--days', 'How long it is valid.', integer('<days>', 1, MAX_DAYS)).default(numDays);
}

export function printCertificates(certificates: readonly StoredCertificate[], json: true | undefined): void {
  const text = json ? JSON.stringify({ certificates }, undefined, 2) : certificates.map(describe).join('\n');
  process.stdout.write(`${text}\n`);
}

function describe({ role, cluster, validTo, certFile, keyFile }: StoredCertificate): string {
  const what = role === 'authority' ? 'authority' : `role ${role}`;
  return `${certFile} (${what} in cluster ${cluster}, until ${validTo.slice(0, 10)}), key ${keyFile}`;
}

function parseName(text: string): string {
  if (CERTIFICATE_NAME.test(text)) return text;
  throw new InvalidArgumentError('It must be at most 64 letters, digits, ".", "-" and "_".');
}

function parseHosts(text: string, before: readonly string[]): readonly string[] {
  const hosts = text.split(',').map((host) => host.trim());
  const wrong = hosts.find((host) => isIP(host) === 0 && !HOST_NAME.test(host));
  if (wrong === undefined) return [...before, ...hosts];
  throw new InvalidArgumentError(`"${wrong}" is no host name or address.`);
}

const HOST_NAME = /^(\*\.)?[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/;
