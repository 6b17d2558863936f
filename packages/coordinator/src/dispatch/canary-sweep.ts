import { expertsOf, LOCAL_MEMBER, type Placement } from '@expertmesh/shared/placement/placement';
import { type CanaryProbe } from './canary-schedule.js';

/** A call reads the weights of all its experts, which requests wait for. */
const MAX_EXPERTS_PER_CALL = 4;
/** Replicas that have not answered rightly are asked again after this. */
const RETRY_MS = 10_000;

/** Which replicas have answered canary rows rightly since they came, and which are still to be asked. */
export class CanarySweep {
  /** By worker and layer. */
  readonly #swept = new Map<string, Map<number, Set<number>>>();
  /** Of the placement that it was made for. */
  #queue: CanaryProbe[] = [];
  #placement: Placement | undefined;
  #retryAtMs = Infinity;

  /** All replicas of the worker are to be asked again. */
  forget(workerId: string): void {
    this.#swept.delete(workerId);
    this.#placement = undefined;
  }

  /** undefined while there is nobody to ask. */
  next(placement: Placement, nowMs: number): CanaryProbe | undefined {
    if (this.#placement !== placement || (this.#queue.length === 0 && nowMs >= this.#retryAtMs)) {
      if (this.#placement !== placement) this.#forgetDropped(placement);
      this.#placement = placement;
      this.#queue = this.#unswept(placement).reverse();
      this.#retryAtMs = Infinity;
    }
    return this.#queue.pop();
  }

  /** @param isRight whether all experts of the probe were answered, and rightly */
  done({ workerId, layerIndex, expertIds }: CanaryProbe, isRight: boolean, nowMs: number): void {
    if (!isRight) {
      this.#retryAtMs = nowMs + RETRY_MS;
      return;
    }
    const ofWorker = this.#swept.get(workerId) ?? new Map<number, Set<number>>();
    const swept = ofWorker.get(layerIndex) ?? new Set<number>();
    for (const expertId of expertIds) swept.add(expertId);
    ofWorker.set(layerIndex, swept);
    this.#swept.set(workerId, ofWorker);
  }

  /** A replica that comes back after it was dropped is a new one. */
  #forgetDropped(placement: Placement): void {
    for (const [workerId, ofWorker] of this.#swept) {
      const workerIndex = placement.workerIds.indexOf(workerId);
      for (const [layerIndex, swept] of ofWorker) {
        const held = new Set(workerIndex < 0 ? [] : expertsOf(placement, layerIndex, workerIndex));
        for (const expertId of swept) if (!held.has(expertId)) swept.delete(expertId);
      }
    }
  }

  #unswept(placement: Placement): CanaryProbe[] {
    const probes: CanaryProbe[] = [];
    for (const [workerIndex, workerId] of placement.workerIds.entries()) {
      if (workerId === LOCAL_MEMBER) continue;
      for (const layerIndex of placement.replicas.keys()) {
        const swept = this.#swept.get(workerId)?.get(layerIndex);
        const left = expertsOf(placement, layerIndex, workerIndex).filter((expertId) => swept?.has(expertId) !== true);
        for (let start = 0; start < left.length; start += MAX_EXPERTS_PER_CALL)
          probes.push({ workerId, layerIndex, expertIds: left.slice(start, start + MAX_EXPERTS_PER_CALL) });
      }
    }
    return probes;
  }
}
