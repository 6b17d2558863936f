import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Clock } from '@expertmesh/shared/rpc/clock';

/** How often it is looked whether somebody has an expert again. */
export const LOOK_AGAIN_MS = 100;

/** How long calls wait for experts that nobody has any more, and whether that has any prospect. */
export class LostExperts {
  readonly #clock: Clock;
  readonly #waitMs: number;
  /** Undefined before anybody has said: then nobody waits. */
  #irreplaceable: ReadonlySet<string> | undefined;

  /** @param waitMs --replacement-wait-ms */
  constructor(clock: Clock, waitMs: number) {
    this.#clock = clock;
    this.#waitMs = waitMs;
  }

  /** Workers whose experts find no room elsewhere. */
  setIrreplaceable(workerIds: Iterable<string>): void {
    this.#irreplaceable = new Set(workerIds);
  }

  /** Begins when a layer call first lacks an expert. */
  newWait(): LostExpertWait {
    const endMs = this.#clock.nowMs() + this.#waitMs;
    const canReturn = (holders: readonly string[]): boolean =>
      this.#irreplaceable !== undefined && !holders.some((workerId) => this.#irreplaceable?.has(workerId));
    return {
      isOver: () => this.#clock.nowMs() >= endMs,
      canReturn,
      explained: (error, holders) => (this.#waitMs === 0 ? error : explained(error, canReturn(holders), this.#waitMs)),
    };
  }
}

/** The wait of one layer call. */
export interface LostExpertWait {
  readonly isOver: () => boolean;
  /** Whether the experts that only these workers have would find a place elsewhere. */
  readonly canReturn: (holders: readonly string[]) => boolean;
  /** The error of a call that was not answered in the end, with what there is to do. */
  readonly explained: (error: ExpertmeshError, holders: readonly string[]) => ExpertmeshError;
}

function explained(cause: ExpertmeshError, hadProspect: boolean, waitMs: number): ExpertmeshError {
  const remedy = hadProspect
    ? `its experts were not loaded elsewhere within ${String(waitMs)} ms (--replacement-wait-ms): see the leader's log`
    : 'no other worker has room for its experts: start it again, or add a worker';
  return new ExpertmeshError(cause.code, `${cause.message}; ${remedy}`, { cause });
}
