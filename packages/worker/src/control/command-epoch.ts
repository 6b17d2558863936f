import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';

/** The highest epoch that has commanded this process: it fences off leaders that lost their office without noticing. */
export class CommandEpoch {
  #highest = 0;

  get highest(): number {
    return this.#highest;
  }

  /**
   * Takes a command of this epoch, which is the highest from now on if it was not before.
   *
   * @throws ExpertmeshError `failed_precondition` for one that is lower than the highest.
   */
  require(epoch: number): void {
    if (epoch < this.#highest)
      throw new ExpertmeshError(
        'failed_precondition',
        `the command is of epoch ${String(epoch)}, epoch ${String(this.#highest)} commands this worker: ` +
          'another coordinator leads by now; leave the command to it',
      );
    this.#highest = epoch;
  }
}
