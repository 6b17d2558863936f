import { ExpertmeshError } from '../errors/expertmesh-error.js';

/** @throws ExpertmeshError `failed_precondition` where a copy is of another store. */
export function requireSameStore(where: string, itsId: string, ownId: string): void {
  if (itsId === ownId) return;
  throw new ExpertmeshError(
    'failed_precondition',
    `${where} has store ${itsId}, and store ${ownId} is to be mended: name a copy of the same store`,
  );
}
