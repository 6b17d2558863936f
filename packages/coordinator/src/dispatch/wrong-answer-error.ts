import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';

/**
 * What is wrong with an answer: its bytes, or those of the call, were changed on their way (`damaged`); it has values
 * that are not finite; it is not one to this call (`mismatch`); it is another than the same expert's elsewhere or
 * before (`drift`, of canary rows).
 */
export const WRONG_ANSWER_KINDS = ['damaged', 'not_finite', 'mismatch', 'drift'] as const;
export type WrongAnswerKind = (typeof WRONG_ANSWER_KINDS)[number];

/** An answer that nothing may be computed from. The call is as one that failed, and may be sent again. */
export class WrongAnswerError extends ExpertmeshError {
  readonly kind: WrongAnswerKind;

  constructor(kind: WrongAnswerKind, message: string) {
    super('data_loss', message);
    this.kind = kind;
  }
}
