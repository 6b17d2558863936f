import { expect, onTestFinished } from 'vitest';
import { type LayerCall, type LayerResult } from '@expertmesh/coordinator/dispatch/expert-dispatcher';
import {
  GrpcExpertDispatcher,
  type GrpcExpertDispatcherOptions,
} from '@expertmesh/coordinator/dispatch/grpc-expert-dispatcher';
import { connectionOpeners } from '@expertmesh/coordinator/serving/connection-openers';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type DispatchAnswer, type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';
import { type Behaviour, SimpleExpertServer } from './simple-expert-server.js';
import { simpleLayerCall, simpleSum } from './simple-layer-call.js';
import { until } from './until.js';

export const HIDDEN_SIZE = 6;
export const CALL_TIMEOUT_MS = 10_000;
export const WORKER_IDS = ['w0', 'w1', 'w2'];

/** Of layer 5. */
export function placementOf(version: number, replicas: readonly (readonly number[])[]): Placement {
  return { version, numExperts: replicas.length, workerIds: WORKER_IDS, replicas: new Map([[5, replicas]]) };
}

/** 6 experts on 3 workers, each on two of them. */
export const EACH_TWICE = [
  [0, 1],
  [1, 2],
  [0, 2],
  [0, 1],
  [1, 2],
  [0, 2],
];
/** Experts 0 and 1 on w0, 2 and 3 on w1, 4 and 5 on w2. */
export const EACH_ONCE = [[0], [0], [1], [1], [2], [2]];

export const call = simpleLayerCall(5, HIDDEN_SIZE, [
  [0, 1, 2],
  [3, 4, 5],
  [0, 2, 4],
]);

/** A dispatcher that is connected to three workers; all are closed after the test. */
export async function startCluster(
  replicas: readonly (readonly number[])[],
  options: Partial<GrpcExpertDispatcherOptions> = {},
) {
  const servers = await Promise.all(WORKER_IDS.map(() => SimpleExpertServer.start()));
  const dispatcher = new GrpcExpertDispatcher({
    storeId: '0123456789abcdef',
    hiddenSize: HIDDEN_SIZE,
    wireDtype: 'fp32',
    callTimeoutMs: CALL_TIMEOUT_MS,
    ...connectionOpeners(undefined),
    ...options,
  });
  onTestFinished(async () => {
    for (const server of servers) await server.close();
    await dispatcher.close();
  });
  await dispatcher.setPlacement(placementOf(1, replicas));
  for (const [index, { address }] of servers.entries()) dispatcher.setWorkerUp(WORKER_IDS[index] ?? '', address);
  await until(() => dispatcher.stats().workers.every(({ isConnected }) => isConnected));
  const [first, second, third] = servers;
  if (first === undefined || second === undefined || third === undefined) throw new Error('three servers');
  return { dispatcher, servers: [first, second, third] as const };
}

export function expectAllSums(result: LayerResult, asked: LayerCall = call): void {
  expect([...result.failures]).toEqual([]);
  for (let row = 0; row < asked.numRows; row++)
    for (const [column, expected] of simpleSum(asked, row).entries())
      expect(result.sums[row * HIDDEN_SIZE + column]).toBeCloseTo(expected, 4);
}

export function pairsSeen({ calls }: SimpleExpertServer): number {
  return calls.reduce((sum, seen) => sum + seen.expertIds.length, 0);
}

export function refused(answer: DispatchAnswer, error: NonNullable<DispatchAnswer['error']>): DispatchAnswer {
  return { ...answer, rows: new Float32Array(0), error };
}

/** A worker without some of its experts. */
export function without(...missing: number[]): Behaviour {
  return ({ expertIds, layerIndex }: DispatchCall, answer, stream) => {
    const missingExpertIds = missing.filter((expertId) => expertIds.includes(expertId));
    const message = `expert ${String(missingExpertIds[0])} of layer ${String(layerIndex)} is not on this worker`;
    stream.write(
      missingExpertIds.length === 0
        ? answer
        : refused(answer, { code: 'failed_precondition', message, missingExpertIds }),
    );
  };
}
