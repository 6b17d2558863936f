import { Command } from 'commander';
import { CertificateDirectory, type Revoked } from '../certs/certificate-directory.js';
import { type DirFlags, withDirFlags } from './certs-flags.js';

export function revokeCommand(): Command {
  return withDirFlags(new Command('revoke'))
    .description('Take certificates back before they end: writes ca.crl, which processes read with --tls-crl.')
    .argument('<name|serial...>', 'Name of certificates, for all of it that have not ended, or a serial number.')
    .addHelpText(
      'after',
      `
  expertmesh certs revoke box-1
  expertmesh certs issue worker --name box-1 --force      another one for it

Copy ca.crl to where --tls-crl of every process is: they read it within
seconds, refuse the certificate, and close its connections. The list holds
until the authority ends. See docs/security.md.`,
    )
    .action((subjects: readonly string[], { dir, json }: DirFlags) => {
      const { revoked, crlFile } = new CertificateDirectory(dir).revoke(subjects);
      const text = json ? JSON.stringify({ revoked, crlFile }, undefined, 2) : revokedLines(revoked, crlFile);
      process.stdout.write(`${text}\n`);
    });
}

function revokedLines(revoked: readonly Revoked[], crlFile: string): string {
  const lines = revoked.map(({ serial, name, validTo }) =>
    name === undefined
      ? `serial ${serial} is revoked`
      : `${name}, serial ${serial}, is revoked (until ${validTo ?? ''})`,
  );
  return [...lines, `${crlFile} has the list: copy it to every process that has --tls-crl`].join('\n');
}
