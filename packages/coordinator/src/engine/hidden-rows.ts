import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';

/** The rows of these indices, one behind the other. */
export function gatherRows(rows: Float32Array, indices: readonly number[], rowSize: number): Float32Array {
  const gathered = new Float32Array(indices.length * rowSize);
  for (const [to, from] of indices.entries())
    gathered.set(rows.subarray(from * rowSize, (from + 1) * rowSize), to * rowSize);
  return gathered;
}

/** All arrays, one behind the other. */
export function joinRows(arrays: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const array of arrays) {
    joined.set(array, offset);
    offset += array.length;
  }
  return joined;
}

export function addInPlace(target: Float32Array, addend: Float32Array): void {
  for (let i = 0; i < target.length; i++) target[i] = (target[i] ?? 0) + (addend[i] ?? 0);
}

/** The rows in which a value is infinite or not a number, each with the reason as `data_loss`. */
export function nonFiniteRows(rows: Float32Array, rowSize: number): Map<number, ExpertmeshError> {
  const failures = new Map<number, ExpertmeshError>();
  for (let i = 0; i < rows.length; i++) {
    if (Number.isFinite(rows[i])) continue;
    const rowIndex = Math.floor(i / rowSize);
    failures.set(rowIndex, new ExpertmeshError('data_loss', NOT_FINITE));
    i = (rowIndex + 1) * rowSize - 1;
  }
  return failures;
}

const NOT_FINITE =
  'a layer that the coordinator computed gave a value that is not finite: start it with --verify always, and ' +
  "check this machine's memory";
