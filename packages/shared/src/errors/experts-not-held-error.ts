import { ExpertmeshError, reviveErrorsOf, type ErrorData } from './expertmesh-error.js';

const KIND = 'experts-not-held';

/** A call had experts that whoever got it does not hold: another replica may, or a newer placement knows who does. */
export class ExpertsNotHeldError extends ExpertmeshError {
  /** Those of the call, each once, in the order in which it names them. */
  readonly missingExpertIds: readonly number[];

  constructor(missingExpertIds: readonly number[], message: string) {
    super('failed_precondition', message);
    this.missingExpertIds = missingExpertIds;
  }

  override toData(): ErrorData {
    return { ...super.toData(), kind: KIND, fields: { missingExpertIds: this.missingExpertIds } };
  }
}

reviveErrorsOf(KIND, ({ message, fields }) => {
  const { missingExpertIds } = fields as Pick<ExpertsNotHeldError, 'missingExpertIds'>;
  return new ExpertsNotHeldError(missingExpertIds, message);
});
