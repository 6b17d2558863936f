import { Argument, Command } from 'commander';
import { clusterName } from '@expertmesh/shared/config/cluster-options';
import { integer } from '@expertmesh/shared/config/option-value';
import { RENEW_WITHIN_DAYS } from '@expertmesh/shared/transport-security/expiry';
import { type Role, ROLES } from '@expertmesh/shared/transport-security/mesh-identity';
import { CertificateDirectory } from '../certs/certificate-directory.js';
import { checkedOption } from '../options/checked-option.js';
import {
  type CertificateFlags,
  daysOption,
  type DirFlags,
  printCertificates,
  withCertificateFlags,
  withDirFlags,
} from './certs-flags.js';
import { inviteCommand, joinCommand } from './certs-invitation.js';
import { revokeCommand } from './certs-revoke.js';

const AUTHORITY_DAYS = 3_650;
const MAX_WITHIN_DAYS = 36_500;

export function certsCommand(): Command {
  return new Command('certs')
    .description('Make the certificates by which the processes of a cluster know each other.')
    .addCommand(initCommand())
    .addCommand(issueCommand())
    .addCommand(rotateCommand())
    .addCommand(revokeCommand())
    .addCommand(inviteCommand())
    .addCommand(joinCommand())
    .addHelpText(
      'after',
      `
  expertmesh certs init
  expertmesh certs issue worker --name box-1
  expertmesh worker --tls-ca certs/ca.crt --tls-cert certs/box-1.crt
      --tls-key certs/box-1.key ...

Give each process ca.crt and its own two files; ca.key stays where it is.
Or have a box make its own key and fetch its certificate: "certs invite" here,
and "certs join" there. Commands that speak with a cluster need a certificate
of role admin. See docs/security.md.`,
    );
}

interface InitFlags extends DirFlags {
  readonly cluster: string;
  readonly days: number;
  readonly force?: true;
}

const initCommand = (): Command =>
  withDirFlags(new Command('init'))
    .description('Make an authority, which issues the certificates of one cluster.')
    .addOption(checkedOption('--cluster', 'Name of the cluster.', clusterName()).default('default'))
    .addOption(daysOption(AUTHORITY_DAYS))
    .option('--force', 'Overwrite an authority that is there: what it issued is not trusted any more.')
    .action(({ dir, cluster, days, force, json }: InitFlags) => {
      printCertificates([new CertificateDirectory(dir).init(cluster, days, force === true)], json);
    });

interface IssueFlags extends CertificateFlags {
  readonly force?: true;
}

const issueCommand = (): Command =>
  withCertificateFlags(new Command('issue'))
    .description('Issue a certificate for a role.')
    .addArgument(new Argument('<role>', 'What the certificate is for.').choices(ROLES))
    .option('--force', 'Overwrite a certificate of this name.')
    .action((role: Role, { dir, name = role, host, days, force, json }: IssueFlags) => {
      printCertificates([new CertificateDirectory(dir).issue(role, name, host, days, force === true)], json);
    });

interface RotateFlags extends DirFlags {
  readonly days: number;
  readonly within: number;
}

const rotateCommand = (): Command =>
  withDirFlags(new Command('rotate'))
    .description('Issue anew what ends soon: same names and roles, new keys. Processes read changed files.')
    .addOption(daysOption())
    .addOption(
      checkedOption('--within', 'Days to the end of a certificate.', integer('<days>', 0, MAX_WITHIN_DAYS)).default(
        RENEW_WITHIN_DAYS,
      ),
    )
    .action(({ dir, within, days, json }: RotateFlags) => {
      const rotated = new CertificateDirectory(dir).rotate(within, days);
      if (rotated.length === 0 && !json) process.stdout.write(`nothing ends within ${String(within)} days\n`);
      else printCertificates(rotated, json);
    });
