import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { ExpertsNotHeldError } from '@expertmesh/shared/errors/experts-not-held-error';
import { type CallError, type DispatchAnswer } from '@expertmesh/shared/rpc/dispatch-message';
import { type CallIdentity } from './incoming-call.js';

export const NO_ROWS = new Float32Array(0);

/** As an answer says it. */
export function toCallError(thrown: unknown): CallError {
  const { code, message } = ExpertmeshError.from(thrown);
  return thrown instanceof ExpertsNotHeldError
    ? { code, message, missingExpertIds: thrown.missingExpertIds }
    : { code, message };
}

/** The answer to a call that failed. */
export function errorAnswer({ callId, layerIndex, placementVersion }: CallIdentity, error: CallError): DispatchAnswer {
  return {
    callId,
    layerIndex,
    placementVersion,
    numRows: 0,
    hiddenSize: 0,
    rowDtype: 'fp32',
    numPairs: 0,
    error,
    queueUs: 0,
    computeUs: 0,
    numCallsTogether: 0,
    rows: NO_ROWS,
  };
}
