import { Client, credentials } from '@grpc/grpc-js';
import { startServer } from '@expertmesh/shared/rpc/server';
import { afterAll, describe, expect, it } from 'vitest';
import { reflectionServices } from './reflection.js';

const server = await startServer({
  host: '127.0.0.1',
  port: 0,
  portFlag: '--grpc-port',
  services: reflectionServices(),
});
const client = new Client(`127.0.0.1:${String(server.port)}`, credentials.createInsecure());
afterAll(async () => {
  client.close();
  await server.close(1000);
});

/** The bytes of an answer to a ServerReflectionRequest that has one text field. */
async function answerTo(version: string, field: number, text: string): Promise<string> {
  const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
  const asIs = (bytes: Buffer): Buffer => bytes;
  const call = client.makeBidiStreamRequest(path, asIs, asIs);
  const value = Buffer.from(text);
  call.end(Buffer.concat([Buffer.from([field * 8 + 2, value.length]), value]));
  const answers: Buffer[] = [];
  for await (const bytes of call) answers.push(bytes as Buffer);
  return Buffer.concat(answers).toString('latin1');
}

describe.each(['v1', 'v1alpha'])('reflection %s', (version) => {
  it('lists the services of the coordinator', async () => {
    const services = await answerTo(version, 7, '*');
    expect(services).toContain('expertmesh.v1.InferenceService');
    expect(services).toContain('expertmesh.v1.AdminService');
    expect(services).toContain('grpc.health.v1.Health');
    expect(services).not.toContain('WorkerService');
  });

  it('has the schema of a service', async () => {
    const schema = await answerTo(version, 4, 'expertmesh.v1.InferenceService');
    expect(schema).toContain('GenerateRequest');
    expect(schema).toContain('logitBias');
  });
});
