import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:https';
import { text as textOf } from 'node:stream/consumers';
import { connect, type TLSSocket } from 'node:tls';
import { z } from 'zod';
import { parseNetworkAddress } from '@expertmesh/shared/config/network-address';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import {
  clusterOfAuthority,
  newKey,
  pemOf,
} from '@expertmesh/shared/transport-security/authority/certificate-authority';
import { invitationUri } from './invitation.js';
import { certificateHash, type JoinToken, macOf, parseToken } from './join-token.js';

const TIMEOUT_MS = 10_000;

/** It names two files, and the holder. */
export const CERTIFICATE_NAME = /^[A-Za-z0-9._-]{1,64}$/;

const answerSchema = z.object({ name: z.string().regex(CERTIFICATE_NAME), cert: z.string(), ca: z.string() });

/** A box's own certificate and key, and the authority that it trusts from now on; in PEM. */
export interface Joined {
  readonly name: string;
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/**
 * Makes a key, which never leaves this process, and fetches a certificate for it with a token of `invite`.
 *
 * @throws ExpertmeshError `permission_denied` for a token that was used or is not for there, or where somebody else
 * answers; `unavailable` where nobody does.
 */
export async function join(text: string): Promise<Joined> {
  const token = parseToken(text);
  const key = newKey();
  const socket = await connectTo(token);
  try {
    requireAuthority(socket, token);
    const publicKey = key.public.export({ type: 'spki', format: 'der' });
    const mac = macOf(publicKey, token.secret).toString('base64');
    const answer = await post(socket, JSON.stringify({ publicKey: publicKey.toString('base64'), mac }));
    const { name, cert, ca } = answerSchema.parse(JSON.parse(answer));
    const [own, authority] = [new X509Certificate(cert), new X509Certificate(ca)];
    if (certificateHash(authority) !== token.authorityHash || !own.verify(authority.publicKey))
      throw wrongServer(token);
    if (!own.checkPrivateKey(key.private)) throw wrongServer(token);
    return { name, cert, key: pemOf(key.private), ca };
  } finally {
    socket.destroy();
  }
}

/** Whom it has connected to is looked at before a byte is sent. */
async function connectTo({ address }: JoinToken): Promise<TLSSocket> {
  const { host, port } = parseNetworkAddress(address, 0) ?? { host: address, port: 0 };
  const socket = connect({ host, port, rejectUnauthorized: false, minVersion: 'TLSv1.3' });
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(TIMEOUT_MS) });
    return socket;
  } catch (cause) {
    socket.destroy();
    const reason = ExpertmeshError.from(cause).message;
    const message = `nobody answers at ${address} (${reason}): is "expertmesh certs invite" still waiting there?`;
    throw new ExpertmeshError('unavailable', message, { cause });
  }
}

/** The authority of the token has issued the certificate of who answers, and that for invitations alone. */
function requireAuthority(socket: TLSSocket, token: JoinToken): void {
  const leaf = socket.getPeerX509Certificate();
  const authority = leaf?.issuerCertificate;
  if (leaf === undefined || authority === undefined) throw wrongServer(token);
  if (certificateHash(authority) !== token.authorityHash || !leaf.verify(authority.publicKey)) throw wrongServer(token);
  if (leaf.subjectAltName !== `URI:${invitationUri(clusterOfAuthority(authority))}`) throw wrongServer(token);
  if (Date.parse(leaf.validTo) < Date.now()) throw wrongServer(token);
}

async function post(socket: TLSSocket, body: string): Promise<string> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const sent = request({ createConnection: () => socket, method: 'POST', path: '/join', signal });
  const [response] = (await once(sent.end(body), 'response', { signal })) as [Parameters<typeof textOf>[0] & Status];
  const text = await textOf(response);
  if (response.statusCode === 200) return text;
  throw new ExpertmeshError('permission_denied', `the certificate was refused: ${text}`);
}

interface Status {
  readonly statusCode?: number;
}

const wrongServer = ({ address }: JoinToken): ExpertmeshError =>
  new ExpertmeshError(
    'permission_denied',
    `who answers at ${address} is not who made the token: nothing was sent that could be used`,
  );
