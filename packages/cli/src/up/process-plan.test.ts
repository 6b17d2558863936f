import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { parseCoordinatorConfig } from '@expertmesh/shared/config/coordinator-config';
import { addOptions } from '@expertmesh/shared/config/parse-config';
import { readUpConfig, type UpConfig } from '@expertmesh/shared/config/up-config';
import { UP_OPTIONS } from '@expertmesh/shared/config/up-options';
import { parseWorkerConfig } from '@expertmesh/shared/config/worker-config';
import { coordinatorArgv, planProcesses, workerArgv } from './process-plan.js';
import { requireWorkForAll } from './worker-count.js';

const GIB = 2 ** 30;
const machine = { numCores: 8, totalMemoryBytes: 40 * GIB, availableMemoryBytes: 30 * GIB };
const served = { storeDir: '/cache/store', modelNames: ['qwen'] };

const upConfig = (...argv: string[]): UpConfig =>
  readUpConfig(addOptions(new Command().exitOverride(), UP_OPTIONS).parse(argv, { from: 'user' }), {});

describe('planProcesses', () => {
  it('divides cores and memory among the workers', () => {
    const config = upConfig('--workers', '3', '--num-threads', '8', '--kv-cache-bytes', '2GiB');
    expect(planProcesses(config, machine)).toEqual({ threadsPerWorker: 2, memoryPerWorkerBytes: 10 * GIB });
  });

  it('gives every worker a thread where there are more workers than cores', () => {
    expect(planProcesses(upConfig('--workers', '16', '--num-threads', '2'), machine).threadsPerWorker).toBe(1);
  });

  it('refuses more workers than experts', () => {
    expect(() => {
      requireWorkForAll(129, 128);
    }).toThrow('--workers 129 are more than the model has experts: take at most 128');
    requireWorkForAll(128, 128);
  });

  it('refuses a KV cache that leaves no memory for experts', () => {
    expect(() => planProcesses(upConfig('--kv-cache-bytes', '32GiB'), machine)).toThrow(
      /--kv-cache-bytes 34.4 GB leaves/,
    );
  });
});

describe('the flags for the processes', () => {
  const config = upConfig('--kv-cache-bytes', '1GiB', '--wire-dtype', 'fp16', '--port', '0', '--log-level', 'debug');
  const plan = planProcesses(config, machine);

  it('are what a worker reads, on loopback and on free ports', () => {
    expect(parseWorkerConfig(workerArgv(config, plan, served, 2), {})).toMatchObject({
      store: '/cache/store',
      host: '127.0.0.1',
      port: 0,
      controlPort: 0,
      memoryBudgetBytes: plan.memoryPerWorkerBytes,
      failureDomain: 'worker-2',
      numThreads: plan.threadsPerWorker,
      logLevel: 'debug',
    });
  });

  it('are what a coordinator reads, with the addresses of the workers', () => {
    const workers = [
      { dataPort: 1, controlPort: 2 },
      { dataPort: 3, controlPort: 4 },
    ];
    expect(parseCoordinatorConfig(coordinatorArgv(config, plan, served, workers), {})).toMatchObject({
      store: '/cache/store',
      workers: [
        { host: '127.0.0.1', port: 2 },
        { host: '127.0.0.1', port: 4 },
      ],
      port: 0,
      servedModelName: ['qwen'],
      maxModelLen: undefined,
      kvCacheBytes: GIB,
      memoryBudgetBytes: undefined,
      wireDtype: 'fp16',
    });
  });

  it('pass on how experts are placed and moved', () => {
    const flags = ['--rebalance', 'auto', '--rebalance-quiet-hours', '22:00-06:30', '--redundant-experts', '8'];
    const moving = upConfig(...flags, '--rebalance-min-gain', '0.1', '--move-bytes-per-second', '10MB');
    const argv = coordinatorArgv(moving, planProcesses(moving, machine), served, [{ dataPort: 1, controlPort: 2 }]);
    expect(parseCoordinatorConfig(argv, {})).toMatchObject({
      rebalance: 'auto',
      rebalanceQuietHours: { fromMinute: 22 * 60, toMinute: 6 * 60 + 30 },
      redundantExperts: 8,
      rebalanceMinGain: 0.1,
      moveBytesPerSecond: 10e6,
      stateDir: undefined,
    });
  });

  it('give a coordinator without workers all the memory for experts', () => {
    const alone = upConfig('--workers', '0', '--kv-cache-bytes', '2GiB');
    const argv = coordinatorArgv(alone, planProcesses(alone, machine), served, []);
    expect(parseCoordinatorConfig(argv, {})).toMatchObject({ localExperts: true, memoryBudgetBytes: 30 * GIB });
  });

  it('keep the ports of the first start at a restart', () => {
    const worker = workerArgv(config, plan, served, 1, { dataPort: 40_000, controlPort: 40_001 });
    expect(parseWorkerConfig(worker, {})).toMatchObject({ port: 40_000, controlPort: 40_001 });
    const coordinator = coordinatorArgv(config, plan, served, [{ dataPort: 1, controlPort: 2 }], {
      httpPort: 5,
      grpcPort: 6,
    });
    expect(parseCoordinatorConfig(coordinator, {})).toMatchObject({ port: 5, grpcPort: 6 });
  });
});
