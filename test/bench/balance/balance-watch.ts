import { type ClusterView } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { pause } from '@expertmesh/test-kit/process';
import { type DemoCluster } from './demo-cluster.js';

/** A window of the load monitor that lies wholly within one phase and one placement. */
export interface WatchedWindow {
  readonly placementVersion: number;
  /** [layers] */
  readonly balancedness: readonly number[];
}

export interface WatchedMove {
  readonly beginMs: number;
  endMs: number;
  /** Rows of the phase before it. */
  readonly rowsBefore: number;
}

export interface WatchOptions {
  readonly windowRows: number;
  /** Asked after every look; the watch ends when it is true. */
  readonly isOver: (watch: BalanceWatch) => boolean;
}

const LOOK_INTERVAL_MS = 50;
/** A window slides by quarters, and the last quarter may have grown by what one report brings. */
const ROWS_BETWEEN_WINDOWS = 1.5;

/** Looks at a cluster while one kind of text runs: windows without overlap, and changes of placement. */
export class BalanceWatch {
  readonly windows: WatchedWindow[] = [];
  readonly moves: WatchedMove[] = [];
  numRows = 0;

  get isMoving(): boolean {
    return this.moves.at(-1)?.endMs === Infinity;
  }

  static async over(cluster: DemoCluster, options: WatchOptions): Promise<BalanceWatch> {
    const watch = new BalanceWatch();
    const startRows = (await cluster.stats('total')).numTokens;
    let [cleanSinceRows, version] = [0, (await cluster.cluster()).placementVersion];
    do {
      await pause(LOOK_INTERVAL_MS);
      const view = await cluster.cluster();
      watch.numRows = (await cluster.stats('total')).numTokens - startRows;
      watch.#noteMove(view);
      if (watch.isMoving || view.placementVersion !== version) {
        [cleanSinceRows, version] = [watch.numRows, view.placementVersion];
        continue;
      }
      if (watch.numRows - cleanSinceRows < ROWS_BETWEEN_WINDOWS * options.windowRows) continue;
      cleanSinceRows = watch.numRows;
      const { layers } = await cluster.stats('window');
      watch.windows.push({ placementVersion: version, balancedness: layers.map(({ balancedness }) => balancedness) });
    } while (!options.isOver(watch));
    return watch;
  }

  #noteMove({ change }: ClusterView): void {
    const nowMs = performance.now();
    const last = this.moves.at(-1);
    if (change !== undefined && !this.isMoving)
      this.moves.push({ beginMs: nowMs - LOOK_INTERVAL_MS, endMs: Infinity, rowsBefore: this.numRows });
    else if (change === undefined && last !== undefined && this.isMoving) last.endMs = nowMs;
  }
}
