import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type LoadProgress } from '@expertmesh/shared/gen/expertmesh/v1/worker';
import { type Compute } from '@expertmesh/worker/calls/compute-client';
import { type Assignment } from '@expertmesh/worker/shards/assignment';

const noProgress = (): void => undefined;

/** A compute thread whose loads end when the test says so, or with `cancelled` when they are aborted. */
export class FakeCompute implements Compute {
  readonly events: string[] = [];
  finishLoad: () => void = noProgress;
  tellProgress: (progress: LoadProgress) => void = noProgress;

  load(assignment: Assignment, onProgress: (progress: LoadProgress) => void, signal: AbortSignal): Promise<void> {
    this.events.push(`load ${String(assignment.placementVersion)}`);
    this.tellProgress = onProgress;
    return new Promise((resolve, reject) => {
      this.finishLoad = resolve;
      signal.addEventListener('abort', () => {
        reject(new ExpertmeshError('cancelled', 'the load was cancelled'));
      });
    });
  }

  withdraw(layerIndex: number, expertId: number): Promise<void> {
    this.events.push(`withdraw ${String(layerIndex)}/${String(expertId)}`);
    return Promise.resolve();
  }

  unload(): Promise<void> {
    this.events.push('unload');
    return Promise.resolve();
  }

  drain(): Promise<number> {
    this.events.push('drain');
    return Promise.resolve(2);
  }
}
