/** Counters since the start of the process, and gauges. */
const NAMES = [
  'numCalls',
  'numFailedCalls',
  'numPairs',
  'numRuns',
  'computeUs',
  /** Gauge: calls that wait. */
  'numQueuedCalls',
  /** Gauges: what runs cost, 0 before there were enough of them; see run-cost.ts. */
  'secondsPerActiveExpert',
  'secondsPerToken',
  'scrubbedBytes',
  'numDamagedExperts',
] as const;

export type CounterName = (typeof NAMES)[number];

/**
 * Counters that the compute thread writes (but for those of scrubbing) and the main thread reads, in memory that both
 * see: GetStats then answers while the compute thread is inside a long run. Each has one writer, so plain stores are
 * enough.
 */
export class WorkerCounters {
  readonly memory: SharedArrayBuffer;
  readonly #values: Float64Array;

  constructor(memory = new SharedArrayBuffer(NAMES.length * Float64Array.BYTES_PER_ELEMENT)) {
    this.memory = memory;
    this.#values = new Float64Array(memory);
  }

  add(name: CounterName, amount: number): void {
    this.set(name, this.get(name) + amount);
  }

  set(name: CounterName, value: number): void {
    this.#values[NAMES.indexOf(name)] = value;
  }

  get(name: CounterName): number {
    return this.#values[NAMES.indexOf(name)] ?? 0;
  }
}
