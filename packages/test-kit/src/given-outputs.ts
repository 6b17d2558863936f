import {
  emptyEngineStats,
  type EngineClient,
  type EngineStats,
  type SequenceOutput,
  type SequenceRequest,
} from '@expertmesh/coordinator/engine/engine-client';

/** An engine that gives what it is told to give for a request, and keeps the requests. */
export class GivenOutputs implements EngineClient {
  readonly limits = { maxModelLen: 2048, vocabSize: 2048 };
  readonly requests: SequenceRequest[] = [];
  /** Sequences that were left before they had ended. */
  numLeft = 0;
  readonly #outputsFor: (request: SequenceRequest) => readonly SequenceOutput[];

  constructor(outputsFor: (request: SequenceRequest) => readonly SequenceOutput[]) {
    this.#outputsFor = outputsFor;
  }

  async *generate(request: SequenceRequest): AsyncGenerator<SequenceOutput, void, void> {
    this.requests.push(request);
    let hasEnded = false;
    try {
      for (const output of this.#outputsFor(request)) {
        await Promise.resolve();
        yield output;
      }
      hasEnded = true;
    } finally {
      if (!hasEnded) this.numLeft++;
    }
  }

  stats(): EngineStats {
    return emptyEngineStats(0);
  }
}
