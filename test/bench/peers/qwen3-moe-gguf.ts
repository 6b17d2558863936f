import { encodeFp16 } from '@expertmesh/shared/expert-store/half-precision';
import { PRESET_CONFIGS, type SynthPreset } from '@expertmesh/shared/expert-store/synth/presets';
import { parseModelSpec, type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { seededRandom } from '@expertmesh/shared/random/seeded-random';
import { Q4_0_BLOCK, sizeOfTensor, writeGguf, type GgufTensor, type GgufValue } from './gguf-file.js';

/** As `expertmesh synth` has it: activations stay finite through any number of layers. */
const WEIGHT_STD = 0.02;
/** Of integers spread evenly over -8..7. */
const NIBBLE_STD = 4.61;
/** Random bytes are made once, this many, and then repeated: whole values of F32 and whole blocks of Q4_0. */
const STEP_BYTES = 36;
const PATTERN_BYTES = STEP_BYTES * 100_000;
/** Kinds of tokens in llama.cpp's vocabulary. */
const NORMAL_TOKEN = 1;
const CONTROL_TOKEN = 3;
const NUM_SPECIAL_TOKENS = 3;

/**
 * Writes a GGUF file of a preset's geometry with Q4_0 dummy weights, in the form in which llama.cpp loads Qwen3-MoE
 * models.
 */
export function writeQwen3MoeGguf(file: string, preset: SynthPreset, numLayers: number): void {
  const spec = parseModelSpec({ ...PRESET_CONFIGS[preset], num_hidden_layers: numLayers });
  const random = seededRandom(1);
  const patterns = { norm: onesPattern(), F32: normalPattern(random), Q4_0: q40Pattern(random) };
  const metadata = metadataOf(spec, PRESET_CONFIGS[preset].bos_token_id);
  writeGguf(file, metadata, qwen3MoeTensors(spec), function* (tensor) {
    const pattern = tensor.name.endsWith('norm.weight') ? patterns.norm : patterns[tensor.type];
    let startBytes = Math.floor((random() * PATTERN_BYTES) / STEP_BYTES) * STEP_BYTES;
    for (let leftBytes = sizeOfTensor(tensor); leftBytes > 0; startBytes = 0) {
      const piece = pattern.subarray(startBytes, startBytes + leftBytes);
      leftBytes -= piece.byteLength;
      yield piece;
    }
  });
}

export function qwen3MoeTensors(spec: ModelSpec): GgufTensor[] {
  const { hiddenSize, vocabSize, numLayers } = spec;
  return [
    { name: 'token_embd.weight', type: 'Q4_0', shape: [hiddenSize, vocabSize] },
    { name: 'output_norm.weight', type: 'F32', shape: [hiddenSize] },
    { name: 'output.weight', type: 'Q4_0', shape: [hiddenSize, vocabSize] },
    ...Array.from({ length: numLayers }, (_, layerIndex) => layerTensors(spec, layerIndex)).flat(),
  ];
}

function layerTensors(spec: ModelSpec, layerIndex: number): GgufTensor[] {
  const { hiddenSize, headDim, numExperts, moeIntermediateSize } = spec;
  const qSize = spec.numHeads * headDim;
  const kvSize = spec.numKvHeads * headDim;
  const tensor = (name: string, type: GgufTensor['type'], ...shape: number[]): GgufTensor => ({
    name: `blk.${String(layerIndex)}.${name}.weight`,
    type,
    shape,
  });
  return [
    tensor('attn_norm', 'F32', hiddenSize),
    tensor('attn_q', 'Q4_0', hiddenSize, qSize),
    tensor('attn_k', 'Q4_0', hiddenSize, kvSize),
    tensor('attn_v', 'Q4_0', hiddenSize, kvSize),
    tensor('attn_q_norm', 'F32', headDim),
    tensor('attn_k_norm', 'F32', headDim),
    tensor('attn_output', 'Q4_0', qSize, hiddenSize),
    tensor('ffn_norm', 'F32', hiddenSize),
    tensor('ffn_gate_inp', 'F32', hiddenSize, numExperts),
    tensor('ffn_gate_exps', 'Q4_0', hiddenSize, moeIntermediateSize, numExperts),
    tensor('ffn_up_exps', 'Q4_0', hiddenSize, moeIntermediateSize, numExperts),
    tensor('ffn_down_exps', 'Q4_0', moeIntermediateSize, hiddenSize, numExperts),
  ];
}

function metadataOf(spec: ModelSpec, firstSpecialId: number): Record<string, GgufValue> {
  const uint32 = (value: number): GgufValue => ({ type: 'uint32', value });
  const float32 = (value: number): GgufValue => ({ type: 'float32', value });
  return {
    'general.architecture': { type: 'string', value: 'qwen3moe' },
    'general.name': { type: 'string', value: 'dummy weights' },
    'qwen3moe.block_count': uint32(spec.numLayers),
    'qwen3moe.context_length': uint32(spec.maxPositionEmbeddings),
    'qwen3moe.embedding_length': uint32(spec.hiddenSize),
    'qwen3moe.feed_forward_length': uint32(spec.intermediateSize),
    'qwen3moe.attention.head_count': uint32(spec.numHeads),
    'qwen3moe.attention.head_count_kv': uint32(spec.numKvHeads),
    'qwen3moe.attention.key_length': uint32(spec.headDim),
    'qwen3moe.attention.value_length': uint32(spec.headDim),
    'qwen3moe.attention.layer_norm_rms_epsilon': float32(spec.rmsNormEps),
    'qwen3moe.rope.freq_base': float32(spec.ropeTheta),
    'qwen3moe.expert_count': uint32(spec.numExperts),
    'qwen3moe.expert_used_count': uint32(spec.topK),
    'qwen3moe.expert_feed_forward_length': uint32(spec.moeIntermediateSize),
    ...tokenizerMetadata(spec.vocabSize, firstSpecialId),
  };
}

/** A byte-level BPE without merges that can do no more than name its tokens: the benchmarks feed token ids. */
function tokenizerMetadata(vocabSize: number, firstSpecialId: number): Record<string, GgufValue> {
  const ids = Array.from({ length: vocabSize }, (_, id) => id);
  const isSpecial = (id: number): boolean => id >= firstSpecialId && id < firstSpecialId + NUM_SPECIAL_TOKENS;
  return {
    'tokenizer.ggml.model': { type: 'string', value: 'gpt2' },
    'tokenizer.ggml.pre': { type: 'string', value: 'qwen2' },
    'tokenizer.ggml.tokens': { type: 'string-array', value: ids.map((id) => `<tok-${String(id)}>`) },
    'tokenizer.ggml.token_type': {
      type: 'int32-array',
      value: ids.map((id) => (isSpecial(id) ? CONTROL_TOKEN : NORMAL_TOKEN)),
    },
    'tokenizer.ggml.merges': { type: 'string-array', value: [] },
    'tokenizer.ggml.bos_token_id': { type: 'uint32', value: firstSpecialId },
    'tokenizer.ggml.eos_token_id': { type: 'uint32', value: firstSpecialId + 2 },
  };
}

const bytesOf = (values: Float32Array): Uint8Array => new Uint8Array(values.buffer);

const onesPattern = (): Uint8Array => bytesOf(new Float32Array(PATTERN_BYTES / 4).fill(1));

function normalPattern(random: () => number): Uint8Array {
  const values = new Float32Array(PATTERN_BYTES / 4);
  // Box and Muller's normal distribution.
  for (let i = 0; i < values.length; i++)
    values[i] = WEIGHT_STD * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return bytesOf(values);
}

function q40Pattern(random: () => number): Uint8Array {
  const numBlocks = PATTERN_BYTES / Q4_0_BLOCK.sizeBytes;
  const scales = new Uint16Array(numBlocks);
  encodeFp16(new Float32Array(numBlocks).fill(WEIGHT_STD / NIBBLE_STD), scales);
  const bytes = new Uint8Array(PATTERN_BYTES);
  const view = new DataView(bytes.buffer);
  for (let block = 0; block < numBlocks; block++) {
    const startBytes = block * Q4_0_BLOCK.sizeBytes;
    view.setUint16(startBytes, scales[block] ?? 0, true);
    for (let i = 2; i < Q4_0_BLOCK.sizeBytes; i++) bytes[startBytes + i] = random() * 256;
  }
  return bytes;
}
