import { type Placement } from '@expertmesh/shared/placement/placement';
import { shardsOf, unionShards, type Shards } from './shards.js';

/**
 * What each worker is to hold: its part of the placement that calls are routed by, and what a change under way needs
 * beside it.
 */
export class WantedShards {
  #extra: ReadonlyMap<string, Shards> = new Map();
  #routing: Placement | undefined;
  readonly #cache = new Map<string, Shards>();

  /** Replaces what a change needs. */
  setExtra(extra: ReadonlyMap<string, Shards>): void {
    this.#extra = extra;
    this.#cache.clear();
  }

  of(routing: Placement, workerId: string): Shards {
    if (routing !== this.#routing) this.#cache.clear();
    this.#routing = routing;
    let shards = this.#cache.get(workerId);
    if (shards === undefined) {
      shards = unionShards(shardsOf(routing, workerId), this.#extra.get(workerId) ?? []);
      this.#cache.set(workerId, shards);
    }
    return shards;
  }
}
