import { type ExpertLayer } from '@expertmesh/kernels/expert-layer';
import { type DispatchCall } from '@expertmesh/shared/rpc/dispatch-message';

/** Computes the experts that this process holds of one layer. */
export interface LayerRunner {
  /**
   * The experts as the native kernels have them, in the order in which they were given; absent with other providers.
   */
  readonly native?: ExpertLayer;
  /**
   * The weighted sums of each call: fp32 [numRows, hidden], in the order of the calls. For every row the terms are
   * added in ascending order of expert, so that a call's answer does not depend on the calls that are computed with it.
   * Of a call with sumUnits they are exact, [numRows, hidden] and perhaps as many high parts behind them.
   * The arrays are views that hold until the next run of any runner. The calls have been validated; one run at a time.
   */
  run(calls: readonly DispatchCall[]): Promise<readonly Float32Array[]>;
  close(): Promise<void>;
}
