import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { MAX_EPOCH_JUMP } from '@expertmesh/shared/limits/limits';

/** The highest epoch that has commanded this process: it fences off leaders that lost their office without noticing. */
export class CommandEpoch {
  #highest = 0;

  get highest(): number {
    return this.#highest;
  }

  /**
   * Takes a command of this epoch, which is the highest from now on if it was not before.
   *
   * @throws ExpertmeshError `failed_precondition` for one that is lower than the highest, or so far above it that no
   * election gave it.
   */
  require(epoch: number): void {
    if (epoch < this.#highest)
      throw new ExpertmeshError(
        'failed_precondition',
        `the command is of epoch ${String(epoch)}, epoch ${String(this.#highest)} commands this worker: ` +
          'another coordinator leads by now; leave the command to it. Where none does, "expertmesh workers ' +
          'reset-epoch" has it take commands again',
      );
    if (epoch > this.#highest + MAX_EPOCH_JUMP)
      throw new ExpertmeshError(
        'failed_precondition',
        `the command is of epoch ${String(epoch)}, and this worker has seen ${String(this.#highest)}: no election ` +
          `gives one that is more than ${String(MAX_EPOCH_JUMP)} above it. Where the cluster's has come this far, ` +
          'start its coordinators anew with an empty --state-dir',
      );
    this.#highest = epoch;
  }

  /** @returns the highest epoch, which is forgotten. */
  reset(): number {
    const highest = this.#highest;
    this.#highest = 0;
    return highest;
  }
}
