import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const repositoryDir = resolve(import.meta.dirname, '../..');
const goldenDir = join(import.meta.dirname, 'data/model-goldens');

/** What transformers computed in fp32 from one checkpoint. */
export interface ModelGolden {
  readonly name: string;
  /** Absolute path of the Hugging Face checkpoint. */
  readonly checkpointDir: string;
  /** Indices of the layers that have experts, ascending. */
  readonly moeLayers: readonly number[];
  readonly prompts: readonly PromptGolden[];
}

/**
 * A prompt, prefilled, and the greedy steps after it. With a prompt of P tokens, decode step s (0 to 31) feeds
 * `greedyTokenIds[s]` at position P + s. End tokens do not end the steps.
 */
export interface PromptGolden {
  readonly promptTokenIds: readonly number[];
  /** 33 tokens: the first is chosen by the last logits of the prompt, each other one by the decode step before it. */
  readonly greedyTokenIds: readonly number[];
  readonly numDecodeSteps: number;
  /**
   * Smallest distance between the logit of the last chosen expert and that of the first one left out, over all
   * positions and layers.
   */
  readonly smallestRouterGap: number;
  /** Smallest distance between the two largest logits where a greedy token is chosen. */
  readonly smallestGreedyGap: number;
  /**
   * Logits, fp32 [vocab], after a position of the prompt; undefined where they are not recorded (the last always is).
   */
  prefillLogits(position: number): Float32Array | undefined;
  /** Logits, fp32 [vocab], of a decode step. */
  decodeLogits(step: number): Float32Array;
  /**
   * Expert ids, int32 [topK], by descending weight; the layer is an index into all layers, the position counts prompt
   * and decode steps.
   */
  experts(layer: number, position: number): Int32Array;
  /** Routing weights, fp32 [topK], as the experts' outputs are multiplied by them, in the order of `experts`. */
  weights(layer: number, position: number): Float32Array;
}

export const modelGoldenNames: readonly string[] = readdirSync(goldenDir)
  .filter((file) => file.endsWith('.json'))
  .map((file) => file.slice(0, -'.json'.length))
  .sort();

export function loadModelGolden(name: string): ModelGolden {
  const meta = JSON.parse(readFileSync(join(goldenDir, `${name}.json`), 'utf8')) as ModelMeta;
  const bytes = Uint8Array.from(readFileSync(join(goldenDir, `${name}.bin`))).buffer;
  return {
    name: meta.name,
    checkpointDir: join(repositoryDir, meta.checkpoint),
    moeLayers: meta.moeLayers,
    prompts: meta.prompts.map((prompt) => promptGolden(prompt, meta.moeLayers, bytes)),
  };
}

interface ModelMeta {
  readonly name: string;
  readonly checkpoint: string;
  readonly moeLayers: readonly number[];
  readonly prompts: readonly PromptMeta[];
}

interface PromptMeta {
  readonly promptTokenIds: readonly number[];
  readonly greedyTokenIds: readonly number[];
  readonly prefillPositions: readonly number[];
  readonly prefillLogits: ArrayMeta;
  readonly decodeLogits: ArrayMeta;
  readonly experts: ArrayMeta;
  readonly weights: ArrayMeta;
  readonly smallestRouterGap: number;
  readonly smallestGreedyGap: number;
}

/** An array in the .bin file; the offset counts elements of 4 bytes. */
interface ArrayMeta {
  readonly offset: number;
  readonly shape: readonly number[];
}

function promptGolden(meta: PromptMeta, moeLayers: readonly number[], bytes: ArrayBuffer): PromptGolden {
  const floatRow = (array: ArrayMeta, ...index: number[]) =>
    new Float32Array(bytes, rowOffset(array, index) * Float32Array.BYTES_PER_ELEMENT, array.shape.at(-1));
  return {
    promptTokenIds: meta.promptTokenIds,
    greedyTokenIds: meta.greedyTokenIds,
    numDecodeSteps: meta.greedyTokenIds.length - 1,
    smallestRouterGap: meta.smallestRouterGap,
    smallestGreedyGap: meta.smallestGreedyGap,
    prefillLogits(position) {
      const row = meta.prefillPositions.indexOf(position);
      return row < 0 ? undefined : floatRow(meta.prefillLogits, row);
    },
    decodeLogits: (step) => floatRow(meta.decodeLogits, step),
    experts(layer, position) {
      const offset = rowOffset(meta.experts, [moeLayers.indexOf(layer), position]);
      return new Int32Array(bytes, offset * Int32Array.BYTES_PER_ELEMENT, meta.experts.shape.at(-1));
    },
    weights: (layer, position) => floatRow(meta.weights, moeLayers.indexOf(layer), position),
  };
}

/** Offset of a row of the last dimension, in elements. */
function rowOffset({ offset, shape }: ArrayMeta, index: readonly number[]): number {
  let row = 0;
  for (const [dimension, i] of index.entries()) {
    const size = shape[dimension] ?? 0;
    if (i < 0 || i >= size)
      throw new RangeError(`the golden has no row [${index.join()}] in its shape [${shape.join()}]`);
    row = row * size + i;
  }
  return offset + row * (shape.at(-1) ?? 0);
}
