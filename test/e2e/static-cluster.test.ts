import { join } from 'node:path';
import { credentials, loadPackageDefinition, type Client } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packCheckpoint } from '@expertmesh/shared/expert-store/pack/pack-checkpoint';
import { ExpertmeshProcess, stopAll } from '@expertmesh/test-kit/process';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { startWorkers, workerArgs, type WorkerFleet } from '@expertmesh/test-kit/worker-fleet';

const repositoryDir = join(import.meta.dirname, '../..');

describe('a coordinator and workers that were started by hand', () => {
  const storeDir = join(tempDir(), 'store');
  let fleet: WorkerFleet;
  let coordinator: ExpertmeshProcess;
  let httpUrl = '';
  let grpcAddress = '';

  beforeAll(async () => {
    await packCheckpoint({ hfDir: join(repositoryDir, 'models/qwen3-moe-demo'), storeDir, bits: 8, blockSize: 32 });
    fleet = await startWorkers(storeDir, 2);
    const workers = fleet.controlAddresses.map(({ host, port }) => `${host}:${String(port)}`).join(',');
    coordinator = ExpertmeshProcess.start(
      ['coordinator', '--store', storeDir, '--workers', workers, '--port', '0', '--grpc-port', '0'].concat([
        ...['--wire-dtype', 'fp16', '--served-model-name', 'demo-8-bit', '--num-threads', '1'],
      ]),
    );
    const { httpPort, grpcPort } = await coordinator.listening('coordinator');
    httpUrl = `http://127.0.0.1:${String(httpPort)}`;
    grpcAddress = `127.0.0.1:${String(grpcPort)}`;
    await coordinator.until(async () => (await fetch(`${httpUrl}/health/ready`)).ok, 'is ready');
  });
  afterAll(stopAll);

  it('generates over gRPC, called through the proto files', async () => {
    const responses = await generate(grpcAddress, {
      text: '<|im_start|>user\nWhat is 47 + 85?<|im_end|>\n<|im_start|>assistant\n',
      sampling: { temperature: 0 },
      max_tokens: 100,
    });
    expect(responses.map(({ text }) => text).join('')).toMatch(/<\/think>\n\n132$/);
    expect(responses.at(-1)).toMatchObject({ finish_reason: 'stop', usage: { prompt_tokens: 18 } });
  });

  it('serves again when a worker has drained, ended and come back', async () => {
    const worker = fleet.processes[0];
    const port = fleet.controlAddresses[0]?.port ?? 0;
    expect(await worker?.stop('SIGTERM')).toBe(0);
    await coordinator.until(async () => !(await fetch(`${httpUrl}/health/ready`)).ok, 'has noticed', 5_000);
    const args = workerArgs(storeDir).map((arg, index, all) =>
      all[index - 1] === '--control-port' ? String(port) : arg,
    );
    ExpertmeshProcess.start(args);
    await coordinator.until(async () => (await fetch(`${httpUrl}/health/ready`)).ok, 'is ready again');
    const responses = await generate(grpcAddress, { text: '1 2 3 4', sampling: { temperature: 0 }, max_tokens: 4 });
    expect(responses.at(-1)?.usage?.completion_tokens).toBe(4);
  });

  it('drains and ends on SIGTERM and leaves the workers alone', async () => {
    expect(await coordinator.stop('SIGTERM')).toBe(0);
    expect(fleet.processes[1]?.hasExited).toBe(false);
  });
});

interface GenerateResponse {
  readonly text: string;
  readonly finish_reason: string;
  readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number } | null;
}

interface DynamicInferenceService extends Client {
  generate(request: object): AsyncIterable<GenerateResponse>;
}

/** Calls InferenceService.Generate with a client made from the .proto files at run time. */
async function generate(address: string, request: object): Promise<GenerateResponse[]> {
  const definition = loadSync('expertmesh/v1/inference.proto', {
    keepCase: true,
    includeDirs: [join(repositoryDir, 'proto')],
  });
  const packages = loadPackageDefinition(definition) as unknown as {
    expertmesh: { v1: { InferenceService: new (address: string, creds: object) => DynamicInferenceService } };
  };
  const client = new packages.expertmesh.v1.InferenceService(address, credentials.createInsecure());
  try {
    const responses: GenerateResponse[] = [];
    for await (const response of client.generate(request)) responses.push(response);
    return responses;
  } finally {
    client.close();
  }
}
