import { describe, expect, it } from 'vitest';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { type Quantisation } from '@expertmesh/shared/expert-store/quantisation';
import { parseModelSpec } from '@expertmesh/shared/model/model-spec';
import { checkAssignment, type Assignment, type ExpertMemory } from './assignment.js';

// Three layers of 8 experts; layer 1 has none.
const spec = parseModelSpec({
  model_type: 'qwen3_moe',
  hidden_size: 32,
  num_hidden_layers: 3,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  num_experts: 8,
  num_experts_per_tok: 2,
  moe_intermediate_size: 32,
  intermediate_size: 32,
  mlp_only_layers: [1],
  vocab_size: 10,
  max_position_embeddings: 64,
});

/** Every blob has 1,000 bytes. */
const storeOf = (quantisation: Quantisation): ExpertStore => ({
  dir: '/store',
  storeId: 'ab12',
  spec,
  quantisation,
  manifest: { formatVersion: 1, modelConfig: {}, quantisation, blobs: [], files: [] },
  blob: (path) => ({ path, sizeBytes: 1000, sha256: '' }),
  requireBlobFile: (path) => Promise.resolve(path),
});
const store = storeOf({ bits: 4, blockSize: 32 });

const assign = (shards: Assignment['shards'], change: Partial<Assignment> = {}): Assignment => ({
  epoch: 1,
  placementVersion: 1,
  storeId: 'ab12',
  shards,
  ...change,
});
const fourExperts = assign([
  { layerIndex: 0, expertIds: [0, 1] },
  { layerIndex: 2, expertIds: [6, 7] },
]);

const cpuMemory = (memoryBudgetBytes: number): ExpertMemory => ({ provider: 'cpu', memoryBudgetBytes });

const refusal = (code: string, message: RegExp): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(message) as string });

describe('checkAssignment', () => {
  it('says what experts need with ONNX Runtime: quantised weights stay packed, 16 bits become fp32', () => {
    const check = (quantisation: Quantisation): unknown =>
      checkAssignment(fourExperts, storeOf(quantisation), undefined, cpuMemory(100_000));
    expect(check({ bits: 4, blockSize: 32 })).toEqual({ packedBytes: 4000, memoryBytes: 5200 });
    expect(check({ bits: 16, dtype: 'BF16' })).toEqual({ packedBytes: 4000, memoryBytes: 8800 });
    expect(check({ bits: 32 })).toEqual({ packedBytes: 4000, memoryBytes: 4400 });
  });

  it('says what the experts need with the native kernels, which compute on the files themselves', () => {
    const native = { provider: 'native', memoryBudgetBytes: 4200 } as const;
    expect(checkAssignment(fourExperts, store, undefined, native)).toEqual({ packedBytes: 4000, memoryBytes: 4200 });
  });

  it('refuses another store and names both', () => {
    expect(() =>
      checkAssignment(assign(fourExperts.shards, { storeId: 'cd34' }), store, undefined, cpuMemory(10_000)),
    ).toThrow(refusal('failed_precondition', /for store cd34, this worker reads store ab12/));
  });

  it('refuses what the budget cannot hold, naming need, budget and flag', () => {
    expect(() => checkAssignment(fourExperts, store, undefined, cpuMemory(5199))).toThrow(
      refusal('resource_exhausted', /needs about 5\.20 kB .* budget .* is 5\.20 kB: .* --memory-budget-bytes/),
    );
    expect(checkAssignment(fourExperts, store, undefined, cpuMemory(5200)).memoryBytes).toBe(5200);
  });

  it('allows to hold nothing', () => {
    expect(checkAssignment(assign([]), store, undefined, cpuMemory(0))).toEqual({ packedBytes: 0, memoryBytes: 0 });
  });

  const next = assign(
    [
      { layerIndex: 0, expertIds: [0, 1] },
      { layerIndex: 2, expertIds: [5, 6] },
    ],
    { placementVersion: 2 },
  );

  it('counts once, with the native kernels, what a changed layer has in both forms', () => {
    const native = (memoryBudgetBytes: number) => ({ provider: 'native', memoryBudgetBytes }) as const;
    expect(() => checkAssignment(next, store, fourExperts, native(5249))).toThrow(
      refusal('resource_exhausted', /4\.20 kB of memory beside 1\.05 kB that must serve .*change fewer layers/),
    );
    expect(checkAssignment(next, store, fourExperts, native(5250)).memoryBytes).toBe(4200);
  });

  it('counts what must serve until the new experts are loaded, and layers that stay only once', () => {
    expect(() => checkAssignment(next, store, fourExperts, cpuMemory(7799))).toThrow(
      refusal(
        'resource_exhausted',
        /5\.20 kB of memory beside 2\.60 kB that must serve until it is loaded.*unload first/,
      ),
    );
    expect(checkAssignment(next, store, fourExperts, cpuMemory(7800)).memoryBytes).toBe(5200);
    expect(checkAssignment(fourExperts, store, fourExperts, cpuMemory(5200)).memoryBytes).toBe(5200);
  });

  const wrong: [what: string, assignment: Assignment, message: RegExp][] = [
    ['version 0', assign(fourExperts.shards, { placementVersion: 0 }), /versions start at 1/],
    ['a layer that does not exist', assign([{ layerIndex: 3, expertIds: [0] }]), /layer 3 does not exist: .* 0 to 2/],
    ['a layer without experts', assign([{ layerIndex: 1, expertIds: [0] }]), /layer 1 has no experts/],
    [
      'a layer that comes twice',
      assign([
        { layerIndex: 0, expertIds: [0] },
        { layerIndex: 0, expertIds: [1] },
      ]),
      /layer 0 is assigned twice/,
    ],
    ['a layer with an empty list', assign([{ layerIndex: 0, expertIds: [] }]), /layer 0 is assigned without experts/],
    ['an expert that does not exist', assign([{ layerIndex: 0, expertIds: [8] }]), /expert 8 of layer 0 .* 0 to 7/],
    ['descending experts', assign([{ layerIndex: 0, expertIds: [3, 2] }]), /layer 0 lists expert 2 after 3/],
    ['an expert twice', assign([{ layerIndex: 0, expertIds: [3, 3] }]), /layer 0 lists expert 3 after 3/],
  ];
  it.each(wrong)('refuses %s', (_, assignment, message) => {
    expect(() => checkAssignment(assignment, store, undefined, cpuMemory(100_000))).toThrow(
      refusal('invalid_argument', message),
    );
  });
});
