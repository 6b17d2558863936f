import { parentPort, workerData } from 'node:worker_threads';
import { ExpertmeshError, toErrorData } from '@expertmesh/shared/errors/expertmesh-error';
import { planPlacement } from '@expertmesh/shared/placement/plan-placement';
import { type PlanAnswer, type PlanTask } from './plan-in-thread.js';

/** Computes one plan and ends: planning takes seconds, and the main thread must answer heartbeats meanwhile. */
if (parentPort === null) throw new ExpertmeshError('internal', 'plan-thread.js must run as a worker thread');
const { policy, cluster, loads, options } = workerData as PlanTask;
parentPort.postMessage(answer());

function answer(): PlanAnswer {
  try {
    return { kind: 'planned', plan: planPlacement(policy, cluster, loads, options) };
  } catch (thrown) {
    return { kind: 'failed', error: toErrorData(thrown) };
  }
}
