import { type CacheView } from '@expertmesh/coordinator/kv/cache-view';
import { type SequenceRequest } from '@expertmesh/coordinator/engine/engine-client';
import { type Chunk, type ChunkResult } from '@expertmesh/coordinator/engine/forward';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { parseModelSpec, type ModelSpec } from '@expertmesh/shared/model/model-spec';

export const VOCAB = 16;
export const spec: ModelSpec = parseModelSpec({
  model_type: 'qwen3_moe',
  hidden_size: 32,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 16,
  num_experts: 4,
  num_experts_per_tok: 2,
  moe_intermediate_size: 32,
  intermediate_size: 32,
  vocab_size: VOCAB,
  max_position_embeddings: 1024,
});

/** A model whose next token is always the last one plus one; the test decides when each pass ends. */
export class CountingForward {
  readonly passes: { chunks: readonly Chunk[]; finish: () => void }[] = [];
  failing = new Set<number>();
  broken = false;
  nowMs = 0;
  /** What a pass takes on the driven clock. */
  costMs: (numRows: number) => number = () => 1;
  /** Whether no pass began behind what earlier passes had stored. */
  positionsWereInOrder = true;
  /** Whether every pass had the blocks that it writes. */
  hadRoom = true;
  readonly #stored = new Map<CacheView, number>();

  run = async (chunks: readonly Chunk[]): Promise<Map<Chunk, ChunkResult>> => {
    await new Promise<void>((finish) => this.passes.push({ chunks, finish }));
    this.nowMs += this.costMs(chunks.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0));
    if (this.broken) throw new Error('the graph broke');
    return new Map(chunks.map((chunk) => [chunk, this.#result(chunk)]));
  };

  #result(chunk: Chunk): ChunkResult {
    const last = chunk.tokenIds.at(-1) ?? 0;
    if (this.failing.has(last)) return { ok: false, error: new ExpertmeshError('unavailable', 'worker w1 is away') };
    const stored = this.#stored.get(chunk.cache) ?? 0;
    this.positionsWereInOrder &&= chunk.cache.length <= stored;
    this.#stored.set(chunk.cache, chunk.cache.length + chunk.tokenIds.length);
    this.hadRoom &&= chunk.cache.blockIds.length * 32 >= chunk.cache.length + chunk.tokenIds.length;
    const logits = new Float32Array(chunk.numLogits * VOCAB);
    const first = chunk.tokenIds.length - chunk.numLogits;
    for (let row = 0; row < chunk.numLogits; row++)
      logits[row * VOCAB + (((chunk.tokenIds[first + row] ?? 0) + 1) % VOCAB)] = 1;
    return { ok: true, logits };
  }
}

/** Greedy, three tokens. */
export function request(promptTokenIds: number[], options: Partial<SequenceRequest> = {}): SequenceRequest {
  return {
    promptTokenIds,
    maxTokens: 3,
    stopTokenIds: [],
    sampling: {
      temperature: 0,
      topK: 0,
      topP: 1,
      minP: 0,
      repetitionPenalty: 1,
      presencePenalty: 0,
      frequencyPenalty: 0,
    },
    ...options,
  };
}
