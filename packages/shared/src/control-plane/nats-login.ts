import { readFileSync } from 'node:fs';
import { credsAuthenticator, nkeyAuthenticator, type ConnectionOptions } from 'nats';
import { ExpertmeshError } from '../errors/expertmesh-error.js';

const SEED = /^SU[A-Z2-7]{56}$/;

/**
 * What a connection shows to the server beside a certificate: by a `.creds` file, as `nsc` writes it, or a file with
 * the seed of an nkey. What is in them is signed with, and neither sent nor logged.
 *
 * @throws ExpertmeshError `not_found` for a file that cannot be read, `failed_precondition` for one that is neither.
 */
export function natsLogin(credsFile: string | undefined): Pick<ConnectionOptions, 'authenticator'> {
  if (credsFile === undefined) return {};
  const text = read(credsFile);
  if (text.includes('-BEGIN NATS USER JWT-')) return { authenticator: credsAuthenticator(Buffer.from(text)) };
  const seed = text.trim();
  if (SEED.test(seed)) return { authenticator: nkeyAuthenticator(Buffer.from(seed)) };
  throw new ExpertmeshError(
    'failed_precondition',
    `${credsFile} is neither a .creds file nor the seed of a user's nkey (SU...): --nats-creds takes these`,
  );
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ExpertmeshError('not_found', `${path} cannot be read: ${ExpertmeshError.from(cause).message}`, { cause });
  }
}
