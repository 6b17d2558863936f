import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { LOCAL_MEMBER } from '@expertmesh/shared/placement/placement';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { CanaryReferences, type StoredReference } from './canary-references.js';
import { type CanaryProbe, scheduledProbe } from './canary-schedule.js';
import { CanarySweep } from './canary-sweep.js';
import { type CurrentRouter } from './current-router.js';
import { failoverReason } from './failover.js';
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
  /** As CanaryReferences. */
  readonly storedReference: StoredReference | undefined;
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
 * workers when their exam is due. A replica that answers another row than its expert's counts as one that answers
 * wrongly.
 */
export class CanaryRounds {
  readonly #options: CanaryRoundsOptions;
  readonly #references: CanaryReferences;
  readonly #sweep = new CanarySweep();
  /** By worker, the experts that it answered wrongly: no exam is passed before all of them are right. */
  readonly #drifted = new Map<string, DriftedExpert[]>();
  #step = 0;
  #isClosed = false;
  /** No timer runs. */
  #isPaused = true;
  #nextScheduledMs: number;
  #cancelTimer: () => void = () => undefined;

  constructor(options: CanaryRoundsOptions) {
    this.#options = options;
    this.#references = new CanaryReferences(options.storedReference);
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
    this.#references.forget(workerId);
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

  /**
   * What it drifted in and still has, and in every layer one of its experts: all must be right. A worker that is not
   * placed, away, or too busy for an answer in time has neither passed nor failed.
   */
  async #examine(workerId: string): Promise<void> {
    const { quarantine } = this.#options.standing;
    const hasPassed = await this.#hasPassed(workerId);
    if (hasPassed === undefined) {
      quarantine.postponeExam(workerId);
      return;
    }
    if (hasPassed) this.#drifted.delete(workerId);
    quarantine.examined(workerId, hasPassed);
  }

  /** undefined where it cannot be said now. */
  async #hasPassed(workerId: string): Promise<boolean | undefined> {
    let numRight = 0;
    for (const probe of this.#examProbes(workerId, this.#drifted.get(workerId) ?? [])) {
      const result = await this.#ask(probe);
      if (result === 'failed') return false;
      if (result === 'not_asked' || (result === 'not_held' && probe.isOfDrifted === true)) return undefined;
      if (result === 'right') numRight += 1;
    }
    return numRight > 0 ? true : undefined;
  }

  *#examProbes(workerId: string, drifted: readonly DriftedExpert[]): Iterable<ExamProbe> {
    const { placement } = this.#options.router;
    const workerIndex = placement?.workerIds.indexOf(workerId) ?? -1;
    if (placement === undefined || workerIndex < 0) return;
    for (const { layerIndex, expertId } of drifted)
      if (placement.replicas.get(layerIndex)?.[expertId]?.includes(workerIndex) === true)
        yield { workerId, layerIndex, expertIds: [expertId], isOfDrifted: true };
    for (let layer = 0; layer < placement.replicas.size; layer++) {
      const probe = scheduledProbe(placement, workerIndex + placement.workerIds.length * layer, this.#step++);
      if (probe !== undefined) yield probe;
    }
  }

  /** Never rejects. */
  async #ask(probe: CanaryProbe): Promise<AskResult> {
    const { workerId, layerIndex, expertIds } = probe;
    const { links, probes, standing } = this.#options;
    // Its own experts have no wire that could change them, and no other process.
    if (workerId === LOCAL_MEMBER || !links.isConnected(workerId)) return 'not_asked';
    let rows: readonly Float32Array[];
    try {
      rows = await probes.probeExperts(workerId, layerIndex, expertIds, PROBE_TIMEOUT_MS);
    } catch (thrown) {
      // Whoever stands at the link has counted a wrong answer; of the others, requests and membership learn.
      const error = ExpertmeshError.from(thrown);
      // No expert makes so much of a small row.
      if (error.code === 'out_of_range') standing.wrong(workerId, 'not_finite', error.message);
      return resultOf(error);
    }
    let isRight = true;
    for (const [index, expertId] of expertIds.entries()) {
      const row = rows[index] ?? new Float32Array();
      for (const drifted of await this.#references.judge(workerId, layerIndex, expertId, row)) {
        this.#noteDrifted(drifted.workerId, { layerIndex, expertId });
        standing.wrong(drifted.workerId, 'drift', drifted.what);
        isRight &&= drifted.workerId !== workerId;
      }
    }
    return isRight ? 'right' : 'failed';
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

interface ExamProbe extends CanaryProbe {
  readonly isOfDrifted?: boolean;
}

type AskResult = 'right' | 'not_held' | 'not_asked' | 'failed';

/** Of a call that failed. */
function resultOf(error: ExpertmeshError): AskResult {
  switch (failoverReason(error)) {
    case 'not_held':
      return 'not_held';
    case 'unavailable':
    case 'deadline_exceeded':
      return 'not_asked';
    case 'wrong_answer':
    case 'out_of_range':
    case undefined:
      return 'failed';
  }
}
