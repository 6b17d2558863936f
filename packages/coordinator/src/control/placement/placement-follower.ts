import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { type PlacementInForce } from '@expertmesh/shared/cluster/placement-document';
import { stepOf, type PlacementStep } from './routing.js';

export interface PlacementFollowerOptions {
  /** What calls are to follow now. */
  readonly current: () => { readonly inForce: PlacementInForce; readonly routing: Placement } | undefined;
  /**
   * Resolves when the workers have been asked what they hold by now, or do not answer: what the leader has had loaded
   * may be news here.
   */
  readonly confirm: (routing: Placement) => Promise<void>;
  /** All calls have followed it by now, and none follows another any more. */
  readonly onApplied: (routing: Placement) => void;
  /** The engine takes every placement unless it is dead, or about to be. */
  readonly onFailure: (error: ExpertmeshError) => void;
}

/** Resolves when no call that began before goes on. */
export type SetPlacement = (placement: Placement) => Promise<void>;

/** Has the engine route by what is in force, and knows which step of it all calls follow. */
export class PlacementFollower {
  readonly #options: PlacementFollowerOptions;
  #setPlacement: SetPlacement | undefined;
  #applied: PlacementStep = { version: 0, numLayers: 0 };
  #appliedRouting: Placement | undefined;
  #isApplying = false;

  constructor(options: PlacementFollowerOptions) {
    this.#options = options;
  }

  /** 0 before the first. */
  get applied(): PlacementStep {
    return this.#applied;
  }

  /** The engine is there. */
  attach(setPlacement: SetPlacement): void {
    this.#setPlacement = setPlacement;
    this.follow();
  }

  /** To be called when what is in force has changed. */
  follow(): void {
    if (!this.#isApplying) void this.#apply();
  }

  // Never rejects. Steps that come meanwhile are applied together.
  async #apply(): Promise<void> {
    this.#isApplying = true;
    try {
      for (let next = this.#next(); next !== undefined; next = this.#next()) {
        const { setPlacement, routing, step } = next;
        if (routing !== this.#appliedRouting) {
          await this.#options.confirm(routing);
          await setPlacement(routing);
        }
        this.#appliedRouting = routing;
        this.#applied = step;
        this.#options.onApplied(routing);
      }
    } catch (thrown) {
      this.#options.onFailure(ExpertmeshError.from(thrown));
    } finally {
      this.#isApplying = false;
    }
  }

  #next(): { setPlacement: SetPlacement; routing: Placement; step: PlacementStep } | undefined {
    const current = this.#options.current();
    if (current === undefined || this.#setPlacement === undefined) return undefined;
    const { routing } = current;
    const step = stepOf(current.inForce);
    const isNews = step.version !== this.#applied.version || step.numLayers !== this.#applied.numLayers;
    return isNews || routing !== this.#appliedRouting ? { setPlacement: this.#setPlacement, routing, step } : undefined;
  }
}
