import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';

/**
 * ONNX Runtime takes another kernel from 32 rows on, which is wrong on SwiftShader (probably because its subgroups have
 * 4 lanes). So each device is tried with many rows when the model is loaded, and given fewer at a time where that goes
 * wrong.
 */
const MANY_ROWS = 64;
const FEW_ROWS = 31;
const TOLERATED_ERROR = 0.01;

/**
 * The most rows that a device computes attention for correctly in one run; Infinity where nothing limits them.
 *
 * @param errorOf tries so many rows and says how far they are from the CPU's, relatively.
 * @throws ExpertmeshError `failed_precondition` when few rows are wrong, too.
 */
export async function reliableRows(errorOf: (numRows: number) => Promise<number>): Promise<number> {
  if ((await errorOf(MANY_ROWS)) < TOLERATED_ERROR) return Infinity;
  const error = await errorOf(FEW_ROWS);
  if (error < TOLERATED_ERROR) return FEW_ROWS;
  throw new ExpertmeshError(
    'failed_precondition',
    `attention on this GPU differs from the CPU's by ${error.toPrecision(2)} of the largest value, tolerated is ` +
      `${String(TOLERATED_ERROR)}: update the GPU's driver, or use --ep native or cpu`,
  );
}
