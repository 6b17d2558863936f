import { type X509Certificate } from 'node:crypto';
import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { type Credentials } from '../credentials.js';

/** What is wrong with a certificate that another one has shown, where it was revoked; else undefined. */
export function revocationError(
  certificate: X509Certificate,
  { revocations }: Pick<Credentials, 'revocations'>,
): ExpertmeshError | undefined {
  const revokedMs = revocations?.revokedMs(certificate);
  if (revocations === undefined || revokedMs === undefined) return undefined;
  return new ExpertmeshError(
    'permission_denied',
    `the certificate ${JSON.stringify(certificate.subject)}, serial ${certificate.serialNumber}, was revoked on ` +
      `${new Date(revokedMs).toISOString()} (${revocations.path}): its owner needs another one`,
  );
}
