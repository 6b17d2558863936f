import { type X509Certificate } from 'node:crypto';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { subjectNames } from './subject-names.js';

/**
 * What a certificate may be for. `nats` is what a NATS server shows to those who connect; it may call nothing.
 */
export const ROLES = ['coordinator', 'worker', 'admin', 'client', 'nats'] as const;
export type Role = (typeof ROLES)[number];

/** Whom a certificate names, as its one URI of the scheme: `expertmesh://<cluster>/role/<role>`. */
export interface MeshIdentity {
  readonly cluster: string;
  readonly role: Role;
}

const SCHEME = 'expertmesh://';

export function identityUri({ cluster, role }: MeshIdentity): string {
  return `${SCHEME}${cluster}/role/${role}`;
}

/**
 * As SPIFFE has it, a certificate names one identity: none and several are both refused.
 *
 * @throws ExpertmeshError `permission_denied` for a certificate without an identity, or with more than one.
 */
export function identityOf(certificate: Pick<X509Certificate, 'subject' | 'subjectAltName'>): MeshIdentity {
  const names = subjectNames(certificate.subjectAltName);
  const uris = names.flatMap(({ type, value }) => (type === 'URI' && value.startsWith(SCHEME) ? [value] : []));
  const [uri, ...others] = uris;
  const [, cluster, name] = IDENTITY.exec(uri ?? '') ?? [];
  const role = ROLES.find((known) => known === name);
  if (cluster !== undefined && role !== undefined && others.length === 0) return { cluster, role };
  const reason = uri === undefined ? 'has no role' : `has ${uris.join(' and ')}`;
  throw new ExpertmeshError(
    'permission_denied',
    `the certificate ${JSON.stringify(certificate.subject)} ${reason}: it must name one, as a URI such as ` +
      identityUri({ cluster: 'default', role: 'worker' }),
  );
}

const IDENTITY = /^expertmesh:\/\/([A-Za-z0-9_-]{1,64})\/role\/([a-z]+)$/;
