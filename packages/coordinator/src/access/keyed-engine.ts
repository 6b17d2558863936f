import { type Clock } from '@expertmesh/shared/rpc/clock';
import { type EngineClient, type SequenceOutput, type SequenceRequest } from '../engine/engine-client.js';
import { type Caller, currentCaller } from './caller.js';

/** Takes note of tokens that were computed for a key. */
export type CountTokens = (keyName: string, kind: 'prompt' | 'generation', numTokens: number) => void;

/**
 * The same engine, for whoever a request is from: sequences carry the key's name, by which places are shared fairly and
 * computed prompts are kept apart, tokens are charged to the key, and its limit of length holds.
 */
export function keyedEngine(engine: EngineClient, clock: Clock, count: CountTokens): EngineClient {
  return {
    get limits() {
      const { maxModelLen, vocabSize } = engine.limits;
      const ofKey = currentCaller()?.account?.limits.maxModelLen ?? Infinity;
      return { maxModelLen: Math.min(maxModelLen, ofKey), vocabSize };
    },
    stats: () => engine.stats(),
    generate: (request, signal) => {
      const caller = currentCaller();
      if (caller === undefined) return engine.generate(request, signal);
      const keyName = caller.account?.name;
      const outputs = engine.generate(ofTenant(request, keyName), signal);
      const charge = (kind: 'prompt' | 'generation', numTokens: number): void => {
        caller.account?.charge(numTokens, clock.nowMs());
        if (keyName !== undefined) count(keyName, kind, numTokens);
      };
      return counted(outputs, request, caller, charge);
    },
  };
}

/** JSON keeps apart what is joined: no salt that a client sends can be that of another key. */
function ofTenant(request: SequenceRequest, keyName: string | undefined): SequenceRequest {
  if (keyName === undefined) return request;
  return { ...request, tenant: keyName, cacheSalt: JSON.stringify([keyName, request.cacheSalt ?? '']) };
}

async function* counted(
  outputs: AsyncIterable<SequenceOutput>,
  { promptTokenIds }: SequenceRequest,
  caller: Caller,
  charge: (kind: 'prompt' | 'generation', numTokens: number) => void,
): AsyncGenerator<SequenceOutput, void, void> {
  let hasBegun = false;
  for await (const output of outputs) {
    if (!hasBegun) {
      caller.promptTokens += promptTokenIds.length;
      charge('prompt', promptTokenIds.length);
      hasBegun = true;
    }
    caller.completionTokens += output.tokenIds.length;
    charge('generation', output.tokenIds.length);
    yield output;
  }
}
