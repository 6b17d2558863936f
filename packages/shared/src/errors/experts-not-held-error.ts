import { ExpertmeshError } from './expertmesh-error.js';

/** A call had experts that whoever got it does not hold: another replica may, or a newer placement knows who does. */
export class ExpertsNotHeldError extends ExpertmeshError {
  /** Those of the call, each once, in the order in which it names them. */
  readonly missingExpertIds: readonly number[];

  constructor(missingExpertIds: readonly number[], message: string) {
    super('failed_precondition', message);
    this.missingExpertIds = missingExpertIds;
  }
}
