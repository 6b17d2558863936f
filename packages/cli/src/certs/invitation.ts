import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { type AddressInfo } from 'node:net';
import { z } from 'zod';
import { type NetworkAddress, formatNetworkAddress } from '@expertmesh/shared/config/network-address';
import {
  certifyKey,
  clusterOfAuthority,
  type KeyedCertificate,
  newKey,
  pemOf,
} from '@expertmesh/shared/transport-security/authority/certificate-authority';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { identityUri, type Role } from '@expertmesh/shared/transport-security/mesh-identity';
import { certificateHash, formatToken, isMacOf, newSecret } from './join-token.js';

/** What the server of an invitation is, and no process of a mesh can be: it names no role. */
export function invitationUri(cluster: string): string {
  return `expertmesh://${cluster}/invitation`;
}

export interface Invitation {
  /** What the box is told. */
  readonly token: string;
  /** Resolves when the box has its certificate. */
  readonly accepted: Promise<void>;
  close(): void;
}

export interface Invited {
  readonly role: Role;
  readonly name: string;
  readonly hosts: readonly string[];
  readonly numDays: number;
}

const MAX_BODY_BYTES = 4_096;
const REQUEST_TIMEOUT_MS = 5_000;
const SERVER_DAYS = 1;

const joinSchema = z.object({ publicKey: z.string(), mac: z.string() });

/**
 * Listens until one box has its certificate. What that certificate says is settled here: the box chooses its key alone.
 *
 * @param reachedAt where the box finds it; its port may be 0 for a free one
 * @param onIssued told the certificate, in PEM, before the box has it
 */
export async function invite(
  authority: KeyedCertificate,
  invited: Invited,
  reachedAt: NetworkAddress,
  onIssued: (cert: string) => void,
): Promise<Invitation> {
  const secret = newSecret();
  const server = createServer({ ...serverCertificate(authority), minVersion: 'TLSv1.3' });
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.listen(reachedAt.port);
  await once(server, 'listening').catch((cause: unknown) => {
    throw new ExpertmeshError('failed_precondition', `cannot listen: ${ExpertmeshError.from(cause).message}`, {
      cause,
    });
  });
  let isUsed = false;
  const use = (): boolean => {
    const isFirst = !isUsed;
    isUsed = true;
    return isFirst;
  };
  const accepted = new Promise<void>((resolve) => {
    server.on('request', (request, response) => {
      void answer(request, response, { authority, invited, secret, use, onIssued }, () => {
        server.close();
        resolve();
      });
    });
  });
  const address = formatNetworkAddress({ ...reachedAt, port: portOf(server) });
  const authorityHash = certificateHash(new X509Certificate(authority.cert));
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { token: formatToken({ address, authorityHash, secret }), accepted, close };
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** With the authority's own behind it, by which the box knows it. */
function serverCertificate(authority: KeyedCertificate): { readonly cert: string; readonly key: string } {
  const key = newKey();
  const uris = [invitationUri(clusterOfAuthority(new X509Certificate(authority.cert)))];
  const content = { name: 'invitation', uris, hosts: [], numDays: SERVER_DAYS };
  const cert = certifyKey(authority, key.public, content, Date.now());
  return { cert: cert + authority.cert, key: pemOf(key.private) };
}

interface Terms {
  readonly authority: KeyedCertificate;
  readonly invited: Invited;
  readonly secret: string;
  /** Whether the secret was not used before; from then on it is. */
  readonly use: () => boolean;
  readonly onIssued: (cert: string) => void;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { authority, invited, secret, use, onIssued }: Terms,
  onAccepted: () => void,
): Promise<void> {
  const publicKey = await presentedKey(request, secret).catch(() => undefined);
  response.setHeader('connection', 'close');
  if (publicKey === undefined || !use()) {
    response.writeHead(403).end('this token is not for here');
    return;
  }
  const cluster = clusterOfAuthority(new X509Certificate(authority.cert));
  const content = { ...invited, uris: [identityUri({ role: invited.role, cluster })] };
  const cert = certifyKey(authority, publicKey, content, Date.now());
  onIssued(cert);
  response.end(JSON.stringify({ name: invited.name, role: invited.role, cert, ca: authority.cert }), onAccepted);
}

/** Undefined for who does not know the secret, before the key is looked at. */
async function presentedKey(request: IncomingMessage, secret: string): Promise<KeyObject | undefined> {
  const { publicKey, mac } = joinSchema.parse(JSON.parse(await bodyOf(request)));
  const spki = Buffer.from(publicKey, 'base64');
  if (!isMacOf(Buffer.from(mac, 'base64'), spki, secret)) return undefined;
  const key = createPublicKey({ key: spki, type: 'spki', format: 'der' });
  return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : undefined;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > MAX_BODY_BYTES) throw new ExpertmeshError('invalid_argument', 'the request is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
