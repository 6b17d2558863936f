import { type SequenceRequest } from '@expertmesh/coordinator/engine/engine-client';
import { seededRandom } from '@expertmesh/shared/random/seeded-random';
import { BLOCK_MODEL_VOCAB, FAILING_TOKEN } from './block-model.js';

/** What clients do to an engine. */
export interface EngineWorkload {
  readonly numBlocks: number;
  readonly maxNumSeqs: number;
  readonly maxWaitingSeqs: number;
  readonly maxBatchTokens: number;
  readonly prefixCache: boolean;
  readonly drafts: boolean;
  /** Blocks that memory drops are kept elsewhere, and come back but for this share; undefined where none are. */
  readonly archiveLoss: number | undefined;
  readonly arrivals: readonly Arrival[];
}

export interface Arrival {
  readonly id: number;
  readonly atMs: number;
  readonly request: SequenceRequest;
  /** When the client leaves. */
  readonly cancelAtMs: number | undefined;
}

const BLOCK_TOKENS = 32;
const SALTS = [undefined, undefined, undefined, 'a', 'b'] as const;
const TENANTS = [undefined, 'x', 'y', 'z'] as const;
const PRIORITIES = [0, 0, 0, 0, 1, -1, 5] as const;

/** A workload that depends on nothing but the seed: small pools, shared prefixes, and everything that can interrupt. */
export function randomWorkload(seed: number): EngineWorkload {
  const random = seededRandom(seed);
  const upTo = (most: number): number => Math.floor(random() * (most + 1));
  const chance = (share: number): boolean => random() < share;
  const oneOf = <T>(values: readonly T[]): T => values[upTo(values.length - 1)] as T;
  const tokens = (count: number): number[] => Array.from({ length: count }, () => upTo(FAILING_TOKEN - 1));

  const numBlocks = 3 + upTo(20);
  const maxNumSeqs = 1 + upTo(7);
  const prefixes = Array.from({ length: 3 }, () => tokens(upTo(120)));
  const usesTenants = chance(0.5);
  const hurry = 5 + 60 * random();
  let atMs = 0;

  const prompt = (room: number): number[] => {
    const prefix = oneOf(prefixes);
    const shared = chance(0.7) ? prefix : prefix.slice(0, upTo(prefix.length));
    const tail = tokens(1 + upTo(chance(0.3) ? 60 : 8));
    return [...shared.slice(0, Math.max(0, room - tail.length - 1)), ...tail].slice(0, room - 1);
  };
  const arrivals = Array.from({ length: 4 + upTo(16) }, (_, id): Arrival => {
    atMs += random() * hurry;
    const promptTokenIds = prompt(numBlocks * BLOCK_TOKENS);
    const isScored = chance(0.1);
    const most = Math.min(numBlocks * BLOCK_TOKENS - promptTokenIds.length, 90);
    if (chance(0.03)) promptTokenIds[promptTokenIds.length - 1] = FAILING_TOKEN;
    return {
      id,
      atMs,
      cancelAtMs: chance(0.12) ? atMs + random() * 300 : undefined,
      request: {
        promptTokenIds,
        maxTokens: isScored && chance(0.5) ? 0 : 1 + upTo(most - 1),
        stopTokenIds: chance(0.3) ? [upTo(BLOCK_MODEL_VOCAB - 1)] : [],
        sampling: {
          temperature: chance(0.5) ? 0 : 1,
          topK: 0,
          topP: 1,
          minP: 0,
          repetitionPenalty: 1,
          presencePenalty: chance(0.2) ? 0.5 : 0,
          frequencyPenalty: 0,
          seed: upTo(1000),
        },
        ...(isScored && { logprobs: { prompt: 0 } }),
        numAnswers: chance(0.2) ? 1 + upTo(4) : 1,
        priority: oneOf(PRIORITIES),
        tenant: usesTenants ? oneOf(TENANTS) : undefined,
        cacheSalt: oneOf(SALTS),
        timeoutMs: chance(0.1) ? 20 + upTo(400) : undefined,
      },
    };
  });
  const prefixCache = chance(0.85);
  return {
    numBlocks,
    maxNumSeqs,
    maxWaitingSeqs: 1024,
    maxBatchTokens: maxNumSeqs + upTo(100),
    prefixCache,
    drafts: chance(0.4),
    archiveLoss: prefixCache && chance(0.4) ? 0.3 * random() : undefined,
    arrivals,
  };
}
