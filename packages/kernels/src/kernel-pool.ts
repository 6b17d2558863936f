import { type Numerics } from '@expertmesh/shared/config/numerics';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type KernelIsa } from '@expertmesh/shared/config/kernel-isa';
import { guarded, guardedCall, type KernelJob, type NativeBinding, type NativeHandle } from './native-binding.js';

export interface KernelPoolOptions {
  /** Threads that compute, all of them the pool's own unless it blocks. */
  readonly numThreads: number;
  /**
   * The calling thread is one of those that compute, and does nothing else until the call is computed. It saves two
   * changes of thread, about 50 microseconds a call, for a thread that has nothing else to do. Absent: no.
   */
  readonly isBlocking?: boolean;
  /**
   * invariant: products of a row have the same bits beside few rows and beside many, for which those with few take
   * longer; see docs/numerics.md. Absent: fast. Experts go by their calls instead, see ExpertCall.exact.
   */
  readonly numerics?: Numerics;
  /** The best of the CPU's where absent. */
  readonly isa?: KernelIsa;
  /**
   * How long idle threads wait for work awake; 50 where absent. More saves a wake-up per call and burns a core
   * meanwhile.
   */
  readonly spinMicroseconds?: number;
}

export interface KernelStats {
  readonly numCalls: number;
  /** Time from the start of a call's computation to its end, without the time in the queue. */
  readonly seconds: number;
}

const DEFAULT_SPIN_MICROSECONDS = 50;

/** What is kept of the working memory while nothing runs; a decoding step needs less. */
const MAX_IDLE_BYTES = 16 * 1024 * 1024;
/** Layers of one prompt come one after the other: what they need is not allocated for each. */
const IDLE_MS = 1_000;

/**
 * Threads that compute what layers are asked to run, call after call in the order of the asking. Several layers and
 * callers of one JavaScript thread share a pool, so that the threads are never more than asked for.
 */
export class KernelPool {
  /** What it computes with. */
  readonly isa: KernelIsa;
  readonly #binding: NativeBinding;
  readonly #handle: NativeHandle<'pool'>;
  #pending = new Set<Promise<number>>();
  #idle: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(binding: NativeBinding, options: KernelPoolOptions & { readonly isa: KernelIsa }) {
    const { numThreads, isBlocking = false, isa, spinMicroseconds = DEFAULT_SPIN_MICROSECONDS } = options;
    const isInvariant = options.numerics === 'invariant';
    this.isa = isa;
    this.#binding = binding;
    this.#handle = guarded(() => binding.createPool(numThreads, isa, spinMicroseconds, isBlocking, isInvariant));
  }

  /** @throws ExpertmeshError `invalid_argument` for wrong sizes, `failed_precondition` after close. */
  async submit(call: (binding: NativeBinding, pool: NativeHandle<'pool'>) => Promise<number>): Promise<number> {
    if (this.#isClosed) throw new ExpertmeshError('failed_precondition', 'the kernel pool is closed');
    const running = guardedCall(() => call(this.#binding, this.#handle));
    this.#pending.add(running);
    try {
      return await running;
    } finally {
      this.#pending.delete(running);
      this.#giveBackWhenIdle();
    }
  }

  /**
   * Frees the working memory that calls have left where it is more than `maxBytes`; the pool does so by itself a second
   * after its last call.
   *
   * @returns bytes that are left.
   */
  giveBack(maxBytes = MAX_IDLE_BYTES): Promise<number> {
    return guardedCall(() => this.#binding.keepWorkspace(this.#handle, maxBytes));
  }

  #giveBackWhenIdle(): void {
    if (this.#idle !== undefined) {
      this.#idle.refresh();
      return;
    }
    this.#idle = setTimeout(() => {
      if (this.#isClosed) return;
      // A call under way restarts the time when it ends.
      if (this.#pending.size === 0) void this.giveBack();
    }, IDLE_MS).unref();
  }

  /** Calls and time by what was computed, since the pool was made. */
  stats(): Readonly<Record<KernelJob, KernelStats>> {
    return guarded(() => this.#binding.poolStats(this.#handle));
  }

  /**
   * Bytes per second at which the pool's threads read `numBytes` (1 MiB to 64 GiB) of fresh memory: choose more than
   * the caches hold.
   */
  readBandwidth(numBytes: number): Promise<number> {
    return this.submit((binding, pool) => binding.readBandwidth(pool, numBytes));
  }

  /**
   * Products of 4-bit weights with int8 activations per second that the pool's threads make with all operands in the
   * nearest cache: what no kernel of the instruction set exceeds.
   */
  productPeak(): Promise<number> {
    return this.submit((binding, pool) => binding.productPeak(pool));
  }

  /** Finishes the calls that were submitted, then ends the threads. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#idle);
    await Promise.allSettled(this.#pending);
    this.#binding.closePool(this.#handle);
  }
}
