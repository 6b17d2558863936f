import { X509Certificate } from 'node:crypto';
import { request } from 'node:https';
import { afterEach, describe, expect, it } from 'vitest';
import { createAuthority } from '@expertmesh/shared/transport-security/authority/certificate-authority';
import { identityOf } from '@expertmesh/shared/transport-security/mesh-identity';
import { type Invitation, invite } from './invitation.js';
import { join } from './join.js';
import { formatToken, newSecret, parseToken } from './join-token.js';

const INVITED = { role: 'worker', name: 'box-1', hosts: ['box-1.lan'], numDays: 90 } as const;
const PLACE = { host: '127.0.0.1', port: 0 };

const authority = createAuthority('lab', 3650, Date.now());
const open: Invitation[] = [];
const issued: string[] = [];
afterEach(() => {
  for (const invitation of open.splice(0)) invitation.close();
});

async function openInvitation(by = authority): Promise<Invitation> {
  const invitation = await invite(by, INVITED, PLACE, (cert) => issued.push(cert));
  open.push(invitation);
  return invitation;
}

describe('join', () => {
  it('gets what the invitation says, for a key that was made here', async () => {
    const { token, accepted } = await openInvitation();
    const joined = await join(token);
    await accepted;
    expect(joined).toMatchObject({ name: 'box-1', ca: authority.cert });
    const certificate = new X509Certificate(joined.cert);
    expect(identityOf(certificate)).toEqual({ cluster: 'lab', role: 'worker' });
    expect(certificate.checkHost('box-1.lan')).toBe('box-1.lan');
    expect(issued).toEqual([joined.cert]);
  });

  it('works once', async () => {
    const { token, accepted } = await openInvitation();
    await join(token);
    await accepted;
    await expect(join(token)).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('is refused with another secret, and the invitation goes on', async () => {
    const { token } = await openInvitation();
    const wrong = formatToken({ ...parseToken(token), secret: newSecret() });
    await expect(join(wrong)).rejects.toMatchObject({ code: 'permission_denied', message: /refused/ });
    expect((await join(token)).name).toBe('box-1');
  });

  it('sends nothing to who has another authority', async () => {
    const { token } = await openInvitation();
    const impostor = await openInvitation(createAuthority('lab', 3650, Date.now()));
    const misled = formatToken({ ...parseToken(token), address: parseToken(impostor.token).address });
    await expect(join(misled)).rejects.toThrow(/is not who made the token/);
  });

  it('says what is no token without repeating it', async () => {
    await expect(join('box-0:9443/secret')).rejects.toThrow(/^the token is not one of "expertmesh certs invite"/);
  });
});

describe('an invitation', () => {
  it('refuses what is no request to join, however long', async () => {
    const { token } = await openInvitation();
    const { port } = new URL(`https://${parseToken(token).address}`);
    for (const body of ['', '{}', '[]', '{"publicKey": "", "mac": ""}', 'x'.repeat(100_000)]) {
      const status = await new Promise((resolve) => {
        const sent = request({ port, host: '127.0.0.1', method: 'POST', rejectUnauthorized: false }, (response) => {
          resolve(response.resume().statusCode);
        });
        // Who sends too much may find the connection closed before it has read the answer.
        sent.on('error', () => {
          resolve(403);
        });
        sent.end(body);
      });
      expect(status).toBe(403);
    }
    expect((await join(token)).name).toBe('box-1');
  });
});
