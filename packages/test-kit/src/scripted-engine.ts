import {
  emptyEngineStats,
  type EngineClient,
  type EngineStats,
  type FinishReason,
  type SequenceOutput,
  type SequenceRequest,
} from '@expertmesh/coordinator/engine/engine-client';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';

/** What the next sequence does: its tokens one by one, and then its end. */
export interface Script {
  readonly tokenIds: readonly number[];
  readonly end: FinishReason | ExpertmeshError | 'hang until aborted';
}

/** An engine that computes nothing: it answers every request with the script that is set. */
export class ScriptedEngine implements EngineClient {
  readonly limits = { maxModelLen: 2048, vocabSize: 2048 };
  readonly requests: SequenceRequest[] = [];
  numOpenSequences = 0;
  numTokensGiven = 0;
  script: Script = { tokenIds: [], end: 'stop' };
  readonly #waitingForAbort: (() => void)[] = [];

  /** Resolves when a sequence has given all its tokens and hangs. */
  get hanging(): Promise<void> {
    return new Promise((resolve) => this.#waitingForAbort.push(resolve));
  }

  async *generate(request: SequenceRequest, signal: AbortSignal): AsyncGenerator<SequenceOutput, void, void> {
    this.requests.push(request);
    this.numOpenSequences++;
    try {
      yield* this.#play(this.script, signal);
    } finally {
      this.numOpenSequences--;
    }
  }

  stats(): EngineStats {
    return { ...emptyEngineStats(100), numRunning: this.numOpenSequences, kvCacheUsedBytes: 25 };
  }

  async *#play({ tokenIds, end }: Script, signal: AbortSignal): AsyncGenerator<SequenceOutput, void, void> {
    for (const [index, tokenId] of tokenIds.entries()) {
      await Promise.resolve();
      if (signal.aborted) throw new ExpertmeshError('cancelled', 'aborted');
      this.numTokensGiven++;
      const isLast = index === tokenIds.length - 1 && (end === 'stop' || end === 'length');
      yield isLast ? { tokenIds: [tokenId], finishReason: end } : { tokenIds: [tokenId] };
    }
    if (end instanceof ExpertmeshError) throw end;
    if (end === 'hang until aborted') await this.#hang(signal);
  }

  async #hang(signal: AbortSignal): Promise<void> {
    for (const resolve of this.#waitingForAbort.splice(0)) resolve();
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => {
        resolve();
      });
      if (signal.aborted) resolve();
    });
    throw new ExpertmeshError('cancelled', 'aborted');
  }
}
