import { ExpertsNotHeldError } from '@expertmesh/shared/errors/experts-not-held-error';
import { LOCAL_MEMBER } from '@expertmesh/shared/placement/placement';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { CanaryReferences } from './canary-references.js';
import { type CanaryProbe, scheduledProbe } from './canary-schedule.js';
import { CanarySweep } from './canary-sweep.js';
import { type CurrentRouter } from './current-router.js';
import { type ReplicaProbes } from './replica-probes.js';
import { type WorkerLinks } from './worker-links.js';
import { type WorkerStanding } from './worker-standing.js';

export interface CanaryRoundsOptions {
  readonly router: CurrentRouter;
  readonly probes: Pick<ReplicaProbes, 'probeExperts'>;
  readonly links: Pick<WorkerLinks, 'isConnected'>;
  readonly standing: WorkerStanding;
  readonly clock: Clock;
  /** A round asks every worker for one expert of every layer, in about this time; absent for exams alone. */
  readonly intervalMs: number | undefined;
  /** Whether requests are being computed: sweeps give way to them. */
  readonly isBusy: () => boolean;
}

/** How often exams and sweeps are looked for where the round alone would wait longer. */
const MAX_PAUSE_MS = 250;
const PROBE_TIMEOUT_MS = 1_000;
/** A sweep pauses so many times as long as its last call took: it has 2 % of a busy worker, and 20 % of an idle one. */
const SWEEP_PAUSE = { busy: 50, idle: 4 } as const;
const MIN_SWEEP_PAUSE_MS = 5;

/**
 * Sends canary rows to replicas, one call at a time, in pauses that leave the workers to the requests: to every replica
 * once when it is new (a sweep), to one expert of each worker and layer in turn for ever (rounds), and to quarantined
 * workers when their exam is due. A replica that answers another row than its expert has before counts as one that
 * answers wrongly.
 */
export class CanaryRounds {
  readonly #options: CanaryRoundsOptions;
  readonly #references = new CanaryReferences();
  readonly #sweep = new CanarySweep();
  /** By worker, the experts that it answered otherwise than before: no exam is passed before all of them are right. */
  readonly #drifted = new Map<string, DriftedExpert[]>();
  #step = 0;
  #isClosed = false;
  /** No timer runs. */
  #isPaused = true;
  #nextScheduledMs: number;
  #cancelTimer: () => void = () => undefined;

  constructor(options: CanaryRoundsOptions) {
    this.#options = options;
    this.#nextScheduledMs = options.clock.nowMs();
    if (options.intervalMs !== undefined) this.#wait(MAX_PAUSE_MS);
  }

  /** A worker is in quarantine, and out of it only by an exam. */
  quarantineBegan(): void {
    if (this.#isPaused) this.#wait(MAX_PAUSE_MS);
  }

  /** Another process, or the same one over another connection, may compute otherwise: all its replicas are new. */
  cameUp(workerId: string): void {
    this.#drifted.delete(workerId);
    this.#sweep.forget(workerId);
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer();
  }

  #wait(ms: number): void {
    if (this.#isClosed) return;
    this.#isPaused = false;
    this.#cancelTimer = this.#options.clock.after(ms, () => {
      void this.#next().then((pauseMs) => {
        if (pauseMs !== undefined) this.#wait(pauseMs);
      });
    });
  }

  /** Never rejects. @returns how long to pause; undefined until somebody is in quarantine */
  async #next(): Promise<number | undefined> {
    const { router, standing, clock, intervalMs, isBusy } = this.#options;
    const { placement } = router;
    if (placement === undefined) return MAX_PAUSE_MS;
    const [examinee] = standing.quarantine.examinees();
    if (examinee !== undefined) {
      await this.#examine(examinee);
      return MIN_SWEEP_PAUSE_MS;
    }
    if (intervalMs === undefined) {
      this.#isPaused = standing.quarantine.list().length === 0;
      return this.#isPaused ? undefined : MAX_PAUSE_MS;
    }
    const startMs = clock.nowMs();
    if (startMs >= this.#nextScheduledMs) return this.#scheduled(intervalMs);
    const unswept = this.#sweep.next(placement, startMs);
    if (unswept === undefined) return Math.min(MAX_PAUSE_MS, this.#nextScheduledMs - startMs);
    const isRight = (await this.#ask(unswept)) === 'right';
    this.#sweep.done(unswept, isRight, clock.nowMs());
    const pause = isBusy() ? SWEEP_PAUSE.busy : SWEEP_PAUSE.idle;
    return Math.max(MIN_SWEEP_PAUSE_MS, pause * (clock.nowMs() - startMs));
  }

  async #scheduled(intervalMs: number): Promise<number> {
    const { router, clock, standing } = this.#options;
    const { placement } = router;
    if (placement === undefined) return MAX_PAUSE_MS;
    const numCalls = placement.workerIds.length * placement.replicas.size;
    this.#nextScheduledMs = clock.nowMs() + intervalMs / Math.max(1, numCalls);
    const probe = scheduledProbe(placement, this.#step++);
    if (probe !== undefined && !standing.quarantine.has(probe.workerId)) await this.#ask(probe);
    return MIN_SWEEP_PAUSE_MS;
  }

  /** What it drifted in and still has, and in every layer one of its experts: all must be right. */
  async #examine(workerId: string): Promise<void> {
    const { router, standing, links } = this.#options;
    const { placement } = router;
    const workerIndex = placement?.workerIds.indexOf(workerId) ?? -1;
    let hasPassed = links.isConnected(workerId);
    for (const { layerIndex, expertId } of this.#drifted.get(workerId) ?? []) {
      if (!hasPassed) break;
      const isPlaced = placement?.replicas.get(layerIndex)?.[expertId]?.includes(workerIndex) === true;
      hasPassed = !isPlaced || (await this.#ask({ workerId, layerIndex, expertIds: [expertId] })) === 'right';
    }
    if (hasPassed) this.#drifted.delete(workerId);
    if (placement !== undefined && workerIndex >= 0)
      for (let layer = 0; layer < placement.replicas.size && hasPassed; layer++) {
        const probe = scheduledProbe(placement, workerIndex + placement.workerIds.length * layer, this.#step++);
        hasPassed = probe === undefined || (await this.#ask(probe)) !== 'failed';
      }
    standing.quarantine.examined(workerId, hasPassed);
  }

  /** Never rejects. */
  async #ask(probe: CanaryProbe): Promise<'right' | 'not_held' | 'failed'> {
    const { workerId, layerIndex, expertIds } = probe;
    const { links, probes, standing } = this.#options;
    // Its own experts have no wire that could change them, and no other process.
    if (workerId === LOCAL_MEMBER || !links.isConnected(workerId)) return 'failed';
    let rows: readonly Float32Array[];
    try {
      rows = await probes.probeExperts(workerId, layerIndex, expertIds, PROBE_TIMEOUT_MS);
    } catch (thrown) {
      // Whoever stands at the link has counted a wrong answer; of the others, requests and membership learn.
      return thrown instanceof ExpertsNotHeldError ? 'not_held' : 'failed';
    }
    const differences = expertIds.map((expertId, index) =>
      this.#references.differenceOf(workerId, layerIndex, expertId, rows[index] ?? new Float32Array()),
    );
    for (const [index, expertId] of expertIds.entries())
      if (differences[index] !== undefined) this.#noteDrifted(workerId, { layerIndex, expertId });
    const wrong = differences.find((difference) => difference !== undefined);
    if (wrong === undefined) return 'right';
    standing.wrong(workerId, 'drift', wrong);
    return 'failed';
  }

  #noteDrifted(workerId: string, drifted: DriftedExpert): void {
    const known = this.#drifted.get(workerId) ?? [];
    const isKnown = known.some(
      ({ layerIndex, expertId }) => layerIndex === drifted.layerIndex && expertId === drifted.expertId,
    );
    if (!isKnown) this.#drifted.set(workerId, [...known, drifted]);
  }
}

interface DriftedExpert {
  readonly layerIndex: number;
  readonly expertId: number;
}
