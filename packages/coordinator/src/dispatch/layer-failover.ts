import { type ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { type Attempt, endingWith, FIRST, hasLost, next, type StartedCall, withdrawOn } from './attempt.js';
import { type PartOutcome } from './combine.js';
import { type CurrentRouter } from './current-router.js';
import { type LayerCall } from './expert-dispatcher.js';
import {
  FailedReplicas,
  type FailoverCounts,
  failoverReason,
  MAX_ASKED_AGAIN,
  MAX_ATTEMPTS,
  NEWER_PLACEMENT_WAIT_MS,
} from './failover.js';
import { driftOf, exclusion } from './exclusion.js';
import { LOOK_AGAIN_MS, type LostExperts, type LostExpertWait } from './lost-experts.js';
import { type PartCaller, type TravellingRows } from './part-caller.js';
import { type IsExcluded, type ReplicaRouter } from './replica-router.js';
import { type DispatchPart, groupPairs, halvesOf, pairsOfPart } from './route-plan.js';
import { type WorkerLinks } from './worker-links.js';
import { Reluctance, type WorkerStanding } from './worker-standing.js';

/** What stays the same from one layer call to the next. */
export interface FailoverOptions {
  /** Around this it stands. */
  readonly parts: PartCaller;
  readonly router: CurrentRouter;
  readonly links: Pick<WorkerLinks, 'isConnected'>;
  readonly standing: WorkerStanding;
  readonly counts: Pick<FailoverCounts, 'add'>;
  readonly lost: Pick<LostExperts, 'newWait'>;
  readonly clock: Clock;
  /** For all attempts together. */
  readonly timeoutMs: number;
}

/**
 * Stands around the calls of one layer's parts. Expert calls are pure, so pairs whose worker is away, too slow, or
 * without their expert are sent to another replica of the newest placement: a worker that dies costs its pairs one
 * resend, in the middle of a token.
 */
export class LayerFailover {
  readonly #call: LayerCall;
  readonly #rows: TravellingRows;
  readonly #maxRowsPerPart: number;
  readonly #options: FailoverOptions;
  readonly #endMs: number;
  readonly #failed = new FailedReplicas();
  /** One for all parts of the call, so that they wait no longer together than one alone. */
  #newerRouter: Promise<void> | undefined;
  readonly #pairsThatWaited = new Set<number>();
  /** One for all parts of the call, from the first that lacks an expert. */
  #lostWait: LostExpertWait | undefined;

  constructor(call: LayerCall, rows: TravellingRows, maxRowsPerPart: number, options: FailoverOptions) {
    this.#call = call;
    this.#rows = rows;
    this.#maxRowsPerPart = maxRowsPerPart;
    this.#options = options;
    this.#endMs = options.clock.nowMs() + options.timeoutMs;
  }

  /** Workers that are known to be away are left out where there is another replica. Errors as ReplicaRouter. */
  plan(router: ReplicaRouter): DispatchPart[] {
    const { links, standing } = this.#options;
    const areAllThere = router.placement.workerIds.every(
      (workerId) => links.isConnected(workerId) && standing.reluctance(workerId) === Reluctance.none,
    );
    return router.plan(this.#call, this.#maxRowsPerPart, areAllThere ? undefined : this.#exclusion(router));
  }

  /**
   * How the part ended, or the parts that its pairs went into when it failed or was late.
   *
   * @param numAskedAgain how often this worker has been asked again for it
   */
  async compute(
    part: DispatchPart,
    router: ReplicaRouter,
    attempt: Attempt = FIRST,
    numAskedAgain = 0,
  ): Promise<readonly PartOutcome[]> {
    const { number, signal } = attempt;
    if (signal?.aborted === true) return [{ kind: 'failed', part, error: hasLost() }];
    const { standing } = this.#options;
    const drifts = driftOf(standing, router.placement.workerIds[part.workerIndex] ?? '', this.#call.layerIndex, part);
    if (drifts !== undefined) return this.#routeAnew(pairsOfPart(this.#call, part), drifts, next(attempt));
    const hasOthers = number < MAX_ATTEMPTS && this.#hasOtherReplicas(part, router);
    const call = this.#start(part, router, hasOthers, signal);
    const hedged = hasOthers ? await this.#orElsewhere(call, attempt) : undefined;
    if (hedged !== undefined) return hedged;
    const outcome = await call.outcome;
    if (outcome.kind === 'answered') return [outcome];
    const reason = failoverReason(outcome.error);
    if (reason === undefined) return [outcome];
    if (reason === 'out_of_range' && part.rowIndices.length > 1)
      return this.#computeAll(halvesOf(this.#call, part), router, attempt);
    // It may be this worker's own fault, which another one shows.
    if (reason === 'out_of_range') return (hasOthers ? await this.#hedge(call, attempt) : undefined) ?? [outcome];
    const maxAskedAgain = hasOthers ? MAX_ASKED_AGAIN.withOthers : MAX_ASKED_AGAIN.alone;
    const isAskedAgain = reason === 'wrong_answer' && numAskedAgain < maxAskedAgain && this.#remainingMs() > 0;
    if (!isAskedAgain && number >= MAX_ATTEMPTS && this.#lostWait?.isOver() !== false) return [outcome];
    const outcomes = isAskedAgain
      ? await this.compute(part, router, attempt, numAskedAgain + 1)
      : await this.#askOthers(call, outcome.error, attempt);
    if (outcomes.some(({ kind }) => kind === 'answered')) this.#options.counts.add(call.workerId, reason);
    return outcomes;
  }

  #start(part: DispatchPart, router: ReplicaRouter, hasOthers: boolean, signal?: AbortSignal): StartedCall {
    const { placement } = router;
    let withdraw = (): void => undefined;
    const onSent = (withdrawSent: () => void): void => {
      withdraw = withdrawSent;
    };
    const deadlineMs = this.#patienceMs(hasOthers);
    const outcome = this.#options.parts.call({ rows: this.#rows, part, placement, deadlineMs, onSent });
    const workerId = placement.workerIds[part.workerIndex] ?? '';
    const call = { part, workerId, outcome, withdraw: () => withdraw() };
    if (signal !== undefined) withdrawOn(signal, call);
    return call;
  }

  #askOthers(
    { part, workerId }: StartedCall,
    error: ExpertmeshError,
    attempt: Attempt,
  ): Promise<readonly PartOutcome[]> {
    if (error.code === 'deadline_exceeded') this.#options.standing.hedges.noteSilent(workerId);
    this.#failed.add(workerId, error);
    return this.#routeAnew(pairsOfPart(this.#call, part), error, next(attempt));
  }

  /**
   * Sends the pairs of a call that is late to other replicas as well. Whoever answers first counts, and the other
   * answer is dropped: its calls are withdrawn, and with those of a hedge all that would follow them.
   *
   * @returns what the others have answered, where they were first; undefined where the call's own outcome counts.
   */
  #orElsewhere(call: StartedCall, attempt: Attempt): Promise<readonly PartOutcome[] | undefined> {
    const { hedges } = this.#options.standing;
    return new Promise((resolve) => {
      let elsewhere: Promise<readonly PartOutcome[] | undefined> = Promise.resolve(undefined);
      let isAnswered = false;
      const lost = new AbortController();
      const ended = hedges.whenLate(call.workerId, call.part.expertIds.length, () => {
        hedges.noteSilent(call.workerId);
        // What it fails with is of no interest: the late call may still be answered.
        elsewhere = this.#hedge(call, endingWith(lost.signal, attempt)).catch(() => undefined);
        void elsewhere.then((outcomes) => {
          if (outcomes === undefined || isAnswered) return;
          hedges.won(call.workerId);
          call.withdraw();
          resolve(outcomes);
        });
      });
      void call.outcome.then((outcome) => {
        ended();
        isAnswered = outcome.kind === 'answered';
        if (isAnswered) lost.abort();
        if (isAnswered) resolve(undefined);
        else void elsewhere.then(resolve);
      });
    });
  }

  async #hedge({ part, workerId }: StartedCall, attempt: Attempt): Promise<readonly PartOutcome[] | undefined> {
    const router = this.#options.router.require();
    const isExcluded = this.#exclusion(router, workerId);
    const parts = router.plan(this.#call, this.#maxRowsPerPart, isExcluded, pairsOfPart(this.#call, part));
    const outcomes = await this.#computeAll(parts, router, next(attempt));
    return outcomes.every(({ kind }) => kind === 'answered') ? outcomes : undefined;
  }

  async #routeAnew(
    pairs: readonly number[],
    error: ExpertmeshError,
    attempt: Attempt,
  ): Promise<readonly PartOutcome[]> {
    const router = this.#options.router.require();
    const hasReplica = this.#hasReplica(router);
    const stuck = pairs.filter((pair) => !hasReplica(pair));
    const outcomes = await Promise.all([
      this.#send(pairs.filter(hasReplica), router, error, attempt),
      stuck.length === 0 ? [] : this.#waitForReplica(stuck, router, error, attempt),
    ]);
    return outcomes.flat();
  }

  async #send(
    pairs: readonly number[],
    router: ReplicaRouter,
    error: ExpertmeshError,
    attempt: Attempt,
  ): Promise<readonly PartOutcome[]> {
    if (this.#remainingMs() <= 0) return this.#give(pairs, error);
    const parts = router.plan(this.#call, this.#maxRowsPerPart, this.#exclusion(router), pairs);
    return this.#computeAll(parts, router, attempt);
  }

  async #computeAll(
    parts: readonly DispatchPart[],
    router: ReplicaRouter,
    attempt: Attempt,
  ): Promise<readonly PartOutcome[]> {
    return (await Promise.all(parts.map((part) => this.compute(part, router, attempt)))).flat();
  }

  // A worker without an expert that this placement gives to it alone: a newer placement is on its way, or the worker is
  // about to load it. A pair waits for that once.
  async #waitForReplica(
    pairs: readonly number[],
    router: ReplicaRouter,
    error: ExpertmeshError,
    attempt: Attempt,
  ): Promise<readonly PartOutcome[]> {
    const hasWaited = pairs.some((pair) => this.#pairsThatWaited.has(pair));
    if (failoverReason(error) !== 'not_held' || hasWaited) return this.#waitForReplacement(pairs, error, attempt);
    for (const pair of pairs) this.#pairsThatWaited.add(pair);
    const waitMs = Math.min(NEWER_PLACEMENT_WAIT_MS, this.#remainingMs());
    this.#newerRouter ??= this.#options.router.newer(router, waitMs);
    await this.#newerRouter;
    this.#failed.forgetMissing();
    return this.#routeAnew(pairs, error, attempt);
  }

  // Of workers that are away nobody knows whether they come back: the leader loads their experts elsewhere where there
  // is room, and here it is waited for as long as there is.
  async #waitForReplacement(
    pairs: readonly number[],
    error: ExpertmeshError,
    attempt: Attempt,
  ): Promise<readonly PartOutcome[]> {
    const wait = (this.#lostWait ??= this.#options.lost.newWait());
    for (;;) {
      const router = this.#options.router.require();
      const holders = this.#holdersOf(pairs, router);
      if (wait.isOver() || this.#remainingMs() <= 0 || attempt.signal?.aborted === true || !wait.canReturn(holders))
        return this.#give(pairs, wait.explained(error, holders));
      await this.#options.router.newer(router, LOOK_AGAIN_MS);
      this.#failed.forgetAway(this.#options.links);
      if (pairs.some(this.#hasReplica(this.#options.router.require()))) return this.#routeAnew(pairs, error, attempt);
    }
  }

  #holdersOf(pairs: readonly number[], router: ReplicaRouter): string[] {
    const { layerIndex, expertIds } = this.#call;
    const holders = new Set(pairs.flatMap((pair) => router.replicasOf(layerIndex, expertIds[pair] ?? -1)));
    return [...holders].map((workerIndex) => router.placement.workerIds[workerIndex] ?? '');
  }

  /** Whether there is somebody to ask for a pair. */
  #hasReplica(router: ReplicaRouter): (pair: number) => boolean {
    const isExcluded = this.#exclusion(router);
    const { layerIndex, expertIds } = this.#call;
    return (pair) => router.replicasOf(layerIndex, expertIds[pair] ?? -1, isExcluded).length > 0;
  }

  #give(pairs: readonly number[], error: ExpertmeshError): PartOutcome[] {
    const nobody = new Uint8Array(pairs.length);
    return groupPairs(this.#call, pairs, nobody, 1, Infinity).map((part) => ({ kind: 'failed', part, error }));
  }

  #exclusion(router: ReplicaRouter, lateId?: string): IsExcluded {
    const { links, standing } = this.#options;
    return exclusion(router, this.#call.layerIndex, { links, standing, failed: this.#failed, lateId });
  }

  // Where another replica could be asked, half of the time that is left is kept for it.
  #patienceMs(hasOthers: boolean): number {
    const remainingMs = Math.ceil(this.#remainingMs());
    return hasOthers ? Math.ceil(remainingMs / 2) : remainingMs;
  }

  #hasOtherReplicas(part: DispatchPart, router: ReplicaRouter): boolean {
    const { layerIndex } = this.#call;
    const hasSeveral = (expertId: number): boolean => router.replicasOf(layerIndex, expertId).length > 1;
    if (!part.expertIds.every(hasSeveral)) return false;
    const isExcluded = this.#exclusion(router, router.placement.workerIds[part.workerIndex]);
    return part.expertIds.every((expertId) => router.replicasOf(layerIndex, expertId, isExcluded).length > 0);
  }

  #remainingMs(): number {
    return this.#endMs - this.#options.clock.nowMs();
  }
}
