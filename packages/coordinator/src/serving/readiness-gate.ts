import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import {
  emptyEngineStats,
  type EngineClient,
  type EngineLimits,
  type EngineStats,
  type SequenceOutput,
  type SequenceRequest,
} from '../engine/engine-client.js';

/**
 * The engine as the API sees it from the first moment: refuses sequences with `unavailable` and the reason until the
 * model can generate, so that nobody waits for a worker that may never come.
 */
export class ReadinessGate implements EngineClient {
  readonly limits: EngineLimits;
  readonly #kvCacheBudgetBytes: number;
  #engine: EngineClient | undefined;
  #notReadyBecause: string | undefined = 'the coordinator is starting';
  readonly #listeners: ((isReady: boolean) => void)[] = [];

  constructor(limits: EngineLimits, kvCacheBudgetBytes: number) {
    this.limits = limits;
    this.#kvCacheBudgetBytes = kvCacheBudgetBytes;
  }

  /** Why sequences are refused; undefined when they are not. */
  get notReadyBecause(): string | undefined {
    return this.#notReadyBecause;
  }

  /** The engine is there, which does not mean that it may be used yet. */
  attach(engine: EngineClient): void {
    this.#engine = engine;
  }

  open(): void {
    this.#notReadyBecause = undefined;
    this.#tell();
  }

  shut(reason: string): void {
    this.#notReadyBecause = reason;
    this.#tell();
  }

  /** Tells whether sequences are taken, now and whenever that may have changed. */
  watch(listener: (isReady: boolean) => void): void {
    this.#listeners.push(listener);
    this.#tell();
  }

  generate(request: SequenceRequest, signal: AbortSignal): AsyncIterable<SequenceOutput> {
    const reason = this.#notReadyBecause;
    if (this.#engine === undefined || reason !== undefined)
      throw new ExpertmeshError('unavailable', `the model is not ready: ${reason ?? 'it is loading'}; try again later`);
    return this.#engine.generate(request, signal);
  }

  stats(): EngineStats {
    return this.#engine?.stats() ?? emptyEngineStats(this.#kvCacheBudgetBytes);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener(this.#notReadyBecause === undefined);
  }
}
