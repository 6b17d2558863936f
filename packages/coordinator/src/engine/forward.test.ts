import { describe, expect, it } from 'vitest';
import { parseModelSpec } from '@expertmesh/shared/model/model-spec';
import { splitEvenly, type Chunk } from './forward.js';

describe('splitEvenly', () => {
  const spec = parseModelSpec({
    model_type: 'qwen3_moe',
    hidden_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 1,
    num_key_value_heads: 1,
    num_experts: 2,
    num_experts_per_tok: 1,
    moe_intermediate_size: 8,
    intermediate_size: 8,
    vocab_size: 8,
    max_position_embeddings: 64,
  });
  const chunk = (numTokens: number): Chunk => ({
    cache: { length: 0, blockIds: new Int32Array() },
    tokenIds: new Array<number>(numTokens).fill(0),
    numLogits: 0,
  });
  const sizes = (parts: Chunk[][]): number[][] => parts.map((part) => part.map(({ tokenIds }) => tokenIds.length));

  it('gives each part about as many tokens', () => {
    expect(sizes(splitEvenly([1, 1, 1, 1, 1, 1].map(chunk), 2))).toEqual([
      [1, 1, 1],
      [1, 1, 1],
    ]);
    expect(sizes(splitEvenly([1, 10, 1, 1, 4, 3].map(chunk), 2))).toEqual([[10], [4, 3, 1, 1, 1]]);
  });

  it('makes no part empty and one part when asked for one', () => {
    expect(sizes(splitEvenly([5].map(chunk), 2))).toEqual([[5]]);
    expect(sizes(splitEvenly([1, 2, 3].map(chunk), 1))).toEqual([[3, 2, 1]]);
  });
});
