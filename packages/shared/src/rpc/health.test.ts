import { afterEach, expect, it } from 'vitest';
import { HealthCheckResponse_ServingStatus as ServingStatus } from '../gen/grpc/health/v1/health.js';
import { RpcClient } from './client.js';
import { checkHealth, createHealth, type Health, WHOLE_SERVER } from './health.js';
import { type RpcServer, startServer } from './server.js';
import { healthService } from './services.js';

const within = { deadlineMs: 2000, signal: new AbortController().signal };
let open: { server: RpcServer; client: RpcClient; health: Health } | undefined;

async function start() {
  const health = createHealth();
  const server = await startServer({ host: '127.0.0.1', port: 0, portFlag: '--port', services: [health.service] });
  const client = new RpcClient(`127.0.0.1:${String(server.port)}`, 'worker w1');
  open = { health, server, client };
  return open;
}

afterEach(async () => {
  open?.client.close();
  await open?.server.close(0);
});

it('says not serving until it is told otherwise', async () => {
  const { client, health } = await start();
  expect(await checkHealth(client, WHOLE_SERVER, within)).toBe(false);
  health.set(WHOLE_SERVER, true);
  expect(await checkHealth(client, WHOLE_SERVER, within)).toBe(true);
});

it('does not know a service that was never set', async () => {
  const { client } = await start();
  await expect(checkHealth(client, 'other', within)).rejects.toMatchObject({ code: 'not_found' });
});

it('tells a watcher the status of now and every change, and ends at close', async () => {
  const { client, health } = await start();
  const stream = client.serverStream(healthService.watch, { service: 'late' }, within);
  const next = async (): Promise<ServingStatus | undefined> => {
    const { value } = await stream.next();
    return value ? value.status : undefined;
  };
  expect(await next()).toBe(ServingStatus.SERVICE_UNKNOWN);
  health.set('late', true);
  health.set('late', true);
  health.set('late', false);
  expect(await next()).toBe(ServingStatus.SERVING);
  expect(await next()).toBe(ServingStatus.NOT_SERVING);
  health.close();
  expect(await next()).toBeUndefined();
});
