import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { portState } from './port-state.js';

describe('portState', () => {
  it('tells a taken port from a free one', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    expect(await portState('127.0.0.1', port)).toEqual({ kind: 'taken' });
    server.close();
    await once(server, 'close');
    expect(await portState('127.0.0.1', port)).toEqual({ kind: 'free' });
  });

  it('gives the reason where the address is not of this machine', async () => {
    expect(await portState('192.0.2.1', 0)).toMatchObject({ kind: 'unusable' });
  });
});
