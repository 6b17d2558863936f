import { type PlacementInForce } from '@expertmesh/shared/cluster/placement-document';
import { ExpertmeshError, isAway } from '@expertmesh/shared/errors/expertmesh-error';
import { ChangeProgress_State } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type Logger } from '@expertmesh/shared/process/logger';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { mergePlacements, stepOf, type PlacementStep } from '../placement/routing.js';
import { type Shards } from '../placement/shards.js';
import { type ChangeFeed } from './change-feed.js';
import { layerSwitches, numLoadsOf, replicasOf, reversed, type LayerSwitch } from './layer-switch.js';
import { pause, pollUntil, requireOngoing } from './poll-until.js';
import { checkNewReplicas, type ProbeReplica } from './replica-canary.js';

/** What a mover needs of the cluster. */
export interface MoverWorld {
  /** Makes this what is in force, for all coordinators. Errors as PlacementStore.writeInForce. */
  readonly writeInForce: (inForce: Omit<PlacementInForce, 'epoch'>) => Promise<void>;
  /** Makes a document of what a change has left that could neither be finished nor taken back. */
  readonly writeRemainder: (placement: Placement, reason: string) => Promise<Placement>;
  /** What workers are to hold beside the placement that calls follow; by worker. */
  readonly setExtra: (extra: ReadonlyMap<string, Shards>) => void;
  /** Whether the worker has loaded all that it is to hold. Throws when it has refused to. */
  readonly holdsAll: (workerId: string) => boolean;
  /** Whether the worker has loaded that, and nothing else; true for one that is away. */
  readonly holdsOnly: (workerId: string) => boolean;
  readonly isUp: (workerId: string) => boolean;
  readonly probe: ProbeReplica;
  /** Whether all coordinators that live have applied the step. */
  readonly isApplied: (step: PlacementStep) => boolean;
}

export interface MoverOptions {
  readonly world: MoverWorld;
  readonly expertBytes: number;
  /** --move-bytes-per-second */
  readonly bytesPerSecond: number | undefined;
  /** Told of each layer that was switched, forward or back. */
  readonly onMoved: (numReplicas: number) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A change of placement; `doneLayers` of it are done when another leader had begun it. */
export interface PlacementChange {
  readonly from: Placement;
  readonly to: Placement;
  readonly doneLayers: readonly number[];
}

/**
 * Coordinators that have not applied a step after this time are passed over: their calls are refused and routed anew.
 */
const APPLY_TIMEOUT_MS = 5_000;
/** For loading the replicas of a layer: this much, and what reading them takes at a rate that any disk has. */
const STEP_TIMEOUT_MS = 30_000;
const SLOWEST_BYTES_PER_SECOND = 10e6;
const WRITE_RETRY_MS = 250;

/** Moves experts from one placement to another, layer by layer, while calls go on: load, verify, switch, drop. */
export class Mover {
  readonly #options: MoverOptions;

  constructor(options: MoverOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the change is done, or was taken back because a step failed; the feed says which.
   *
   * @param signal aborts when this coordinator leads no longer: everything is left as it is, for the next leader to go
   * on with.
   * @throws ExpertmeshError `cancelled` then, and when a write shows that another one leads.
   */
  async run(change: PlacementChange, feed: ChangeFeed, signal: AbortSignal): Promise<void> {
    const { from, to } = change;
    const layers = layerSwitches(from, to);
    const done = new Set(change.doneLayers);
    try {
      for (const layer of layers)
        if (!done.has(layer.layerIndex)) {
          feed.tell({ state: ChangeProgress_State.STATE_MOVING, message: `layer ${String(layer.layerIndex)}` });
          await this.#switch(layer, change, done, signal);
          feed.tell({
            layersDone: done.size,
            bytesDone: feed.latest.bytesDone + numLoadsOf(layer) * this.#options.expertBytes,
          });
        }
      await this.#write({ formatVersion: 1, version: to.version }, signal);
      await this.#untilApplied({ version: to.version, numLayers: 0 }, signal);
      feed.tell({ state: ChangeProgress_State.STATE_DONE, message: `placement ${String(to.version)} is in force` });
    } catch (thrown) {
      if (signal.aborted || isDeposed(thrown)) throw thrown;
      await this.#takeBack(layers, change, done, ExpertmeshError.from(thrown).message, feed, signal);
    }
  }

  /** Loads what the layer gains, verifies it, has all calls follow, and drops what it loses. */
  async #switch(layer: LayerSwitch, change: PlacementChange, done: Set<number>, signal: AbortSignal): Promise<void> {
    const { world, clock } = this.#options;
    const { from, to } = change;
    const bytes = numLoadsOf(layer) * this.#options.expertBytes;
    const startMs = clock.nowMs();
    world.setExtra(replicasOf(layer, 'gained'));
    const timeoutMs = STEP_TIMEOUT_MS + (1000 * bytes) / SLOWEST_BYTES_PER_SECOND;
    const expected = `layer ${String(layer.layerIndex)} was not loaded`;
    // All are asked each time: one that has refused ends the wait for the others.
    const isLoaded = (): boolean => ![...layer.gains.keys()].map(world.holdsAll).includes(false);
    await pollUntil(isLoaded, { clock, timeoutMs, signal, expected });
    await checkNewReplicas(layer, mergePlacements(from, to, [...done]), world.isUp, world.probe);
    requireOngoing(signal);
    await this.#throttle(startMs, bytes, signal);

    // The old ones serve on until nobody calls them any more.
    world.setExtra(replicasOf(layer, 'all'));
    const inForce = {
      formatVersion: 1,
      version: from.version,
      change: changeRecord(to, toggled(done, layer)),
    } as const;
    await this.#write(inForce, signal);
    if (!done.delete(layer.layerIndex)) done.add(layer.layerIndex);
    await this.#untilApplied(stepOf({ ...inForce, epoch: 0 }), signal);
    world.setExtra(new Map());
    this.#options.onMoved(numLoadsOf(layer));
    await this.#untilDropped(layer, signal);
  }

  async #takeBack(
    layers: readonly LayerSwitch[],
    change: PlacementChange,
    done: Set<number>,
    reason: string,
    feed: ChangeFeed,
    signal: AbortSignal,
  ): Promise<void> {
    const { world, logger } = this.#options;
    logger.warn({ from: change.from.version, to: change.to.version, reason }, 'a change of placement is taken back');
    world.setExtra(new Map());
    feed.tell({ state: ChangeProgress_State.STATE_ROLLING_BACK, message: reason });
    try {
      for (const layer of layers.toReversed())
        if (done.has(layer.layerIndex)) await this.#switch(reversed(layer), change, done, signal);
      await this.#write({ formatVersion: 1, version: change.from.version }, signal);
      feed.tell({ state: ChangeProgress_State.STATE_ROLLED_BACK, layersDone: 0, message: reason });
    } catch (thrown) {
      if (signal.aborted || isDeposed(thrown)) throw thrown;
      const version = await this.#keepRemainder(change, done, reason, signal);
      const message = `${reason}; what could not be taken back either is placement ${String(version)}`;
      feed.tell({ state: ChangeProgress_State.STATE_ROLLED_BACK, layersDone: done.size, message });
    }
  }

  /** @returns the version of what calls follow now, which is neither the old placement nor the new one. */
  async #keepRemainder(
    { from, to }: PlacementChange,
    done: ReadonlySet<number>,
    reason: string,
    signal: AbortSignal,
  ): Promise<number> {
    const { world } = this.#options;
    world.setExtra(new Map());
    const left = mergePlacements(from, to, [...done]);
    const { version } = await world.writeRemainder(
      left,
      `left of the change to version ${String(to.version)}: ${reason}`,
    );
    await this.#write({ formatVersion: 1, version }, signal);
    return version;
  }

  /** While this coordinator leads it may wait for a control plane that is away for a moment. */
  async #write(inForce: Omit<PlacementInForce, 'epoch'>, signal: AbortSignal): Promise<void> {
    for (;;)
      try {
        requireOngoing(signal);
        await this.#options.world.writeInForce(inForce);
        return;
      } catch (thrown) {
        const error = ExpertmeshError.from(thrown);
        if (error.code === 'failed_precondition')
          throw new ExpertmeshError('cancelled', error.message, { cause: thrown });
        if (!isAway(error)) throw thrown;
        await pause(WRITE_RETRY_MS, this.#options.clock, signal);
      }
  }

  async #untilApplied(step: PlacementStep, signal: AbortSignal): Promise<void> {
    const { world, clock, logger } = this.#options;
    const expected = `a coordinator has not applied layer ${String(step.numLayers)}`;
    await pollUntil(() => world.isApplied(step), { clock, timeoutMs: APPLY_TIMEOUT_MS, signal, expected }).catch(
      (error: unknown) => {
        if (signal.aborted) throw error;
        logger.warn({ step }, 'a coordinator has not applied a step of the placement in time: it is passed over');
      },
    );
  }

  // The memory is needed for the next layer. A worker that does not get there has other troubles than this change.
  async #untilDropped({ losses, layerIndex }: LayerSwitch, signal: AbortSignal): Promise<void> {
    const { world, clock, logger } = this.#options;
    const expected = `layer ${String(layerIndex)} was not dropped`;
    const options = { clock, timeoutMs: STEP_TIMEOUT_MS, signal, expected };
    await pollUntil(() => [...losses.keys()].every(world.holdsOnly), options).catch((error: unknown) => {
      if (signal.aborted) throw error;
      logger.warn({ layerIndex }, 'a worker has not dropped the experts that it gave up');
    });
  }

  async #throttle(startMs: number, bytes: number, signal: AbortSignal): Promise<void> {
    const { bytesPerSecond, clock } = this.#options;
    if (bytesPerSecond === undefined) return;
    const leftMs = startMs + (1000 * bytes) / bytesPerSecond - clock.nowMs();
    if (leftMs > 0) await pause(leftMs, clock, signal);
  }
}

const changeRecord = ({ version }: Placement, doneLayers: readonly number[]) => ({
  toVersion: version,
  doneLayers: doneLayers.toSorted((a, b) => a - b),
});

const toggled = (done: ReadonlySet<number>, { layerIndex }: LayerSwitch): number[] =>
  done.has(layerIndex) ? [...done].filter((other) => other !== layerIndex) : [...done, layerIndex];

const isDeposed = (thrown: unknown): boolean => ExpertmeshError.from(thrown).code === 'cancelled';
