import { NativeExperts } from '@expertmesh/compute/experts/native-experts';
import { DenseLayer, type DenseCall } from '@expertmesh/kernels/dense-layer';
import { Head } from '@expertmesh/kernels/head';
import { type KernelPool } from '@expertmesh/kernels/kernel-pool';
import { type Kernels } from '@expertmesh/kernels/kernels';
import { type KvPool } from '@expertmesh/kernels/kv-pool';
import { runWholeLayers } from '@expertmesh/kernels/whole-layers';
import { EmbeddingReader } from '@expertmesh/shared/expert-store/embedding-reader';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { moeLayerIndices, type ModelSpec } from '@expertmesh/shared/model/model-spec';
import {
  type DenseLoadOptions,
  type DenseRunner,
  type DenseStep,
  type RoutedRows,
  type SequenceRows,
} from './dense-runner.js';
import { type KvMemory } from '../kv/kv-memory.js';
import { rotaryRows, totalRows } from './rotary-rows.js';
import { RotaryTable } from './rotary-table.js';
import { verifiedDenseBlobs } from './verified-dense-blobs.js';

/**
 * On the native kernels, a whole layer in one call, straight from the store's mapped files. Computes beside the calling
 * thread.
 */
export class NativeDenseRunner implements DenseRunner {
  readonly kv: KvMemory;
  readonly #spec: ModelSpec;
  readonly #blocks: KvPool;
  readonly #pool: KernelPool;
  readonly #embedding: EmbeddingReader;
  readonly #layers: readonly DenseLayer[];
  readonly #head: Head;
  readonly #rotary: RotaryTable;
  // 600 KB a row of a large vocabulary: fresh arrays would have the garbage collector work for longer than the head
  // takes to compute.
  #logits = new Float32Array();

  private constructor(store: ExpertStore, { pool, layers, head, kv, blocks }: NativeParts) {
    this.kv = kv;
    this.#blocks = blocks;
    this.#spec = store.spec;
    this.#pool = pool;
    this.#embedding = new EmbeddingReader(store);
    this.#layers = layers;
    this.#head = head;
    this.#rotary = new RotaryTable(store.spec.headDim, store.spec.ropeTheta);
  }

  /** Verifies and maps the dense blobs of a store, layer by layer. The pool stays the caller's. */
  static async load(
    store: ExpertStore,
    kernels: Kernels,
    pool: KernelPool,
    options: DenseLoadOptions,
  ): Promise<NativeDenseRunner> {
    const { dir: storeDir, spec, quantisation } = store;
    const { kv } = options;
    if (kv.pool === undefined) throw new ExpertmeshError('internal', 'the KV memory was made without the kernels');
    const layers: DenseLayer[] = [];
    let head: Head | undefined;
    for await (const blob of verifiedDenseBlobs(store, options)) {
      if (blob.kind === 'layer') {
        const layer = new DenseLayer(kernels, { storeDir, spec, quantisation, layerIndex: blob.layerIndex });
        await layer.prefault();
        layers.push(layer);
      }
      if (blob.kind === 'head') {
        head = new Head(kernels, { storeDir, spec, quantisation });
        await head.prefault();
      }
    }
    if (head === undefined) throw new ExpertmeshError('internal', 'the store has no head');
    return new NativeDenseRunner(store, { pool, layers, head, kv, blocks: kv.pool });
  }

  embed(tokenIds: readonly number[]): Float32Array {
    return this.#embedding.rowsOf(tokenIds);
  }

  begin(sequences: readonly SequenceRows[]): DenseStep {
    const outputs = new StepOutputs(this.#spec, totalRows(sequences));
    const rotary = rotaryRows(this.#rotary, sequences);
    const kv = {
      kv: this.#blocks,
      sequences: sequences.map(({ numRows, cache: { blockIds, length } }) => ({ numRows, blockIds, length })),
    };
    return {
      layer: async (layerIndex, hidden) => {
        const residual = outputs.residual(layerIndex);
        const routed = this.#spec.layerKinds[layerIndex] === 'moe' ? outputs.routed : undefined;
        const call: DenseCall = { hidden, ...rotary, ...kv, residual, ...(routed && { routed }) };
        await this.#layer(layerIndex).run(this.#pool, call);
        return { residual, routed };
      },
      allLayers: async (hidden, experts, areSumsExact) => {
        if (!(experts instanceof NativeExperts))
          throw new ExpertmeshError('internal', 'whole layers need experts on the native kernels');
        const layers = this.#layers.map((dense, layerIndex) => ({ dense, experts: experts.ofLayer(layerIndex) }));
        const { normed } = outputs.routed;
        const residual = outputs.residual(0);
        const { routes, byLayer } = routesOfLayers(this.#spec, hidden.length / this.#spec.hiddenSize);
        const call = { layers, hidden, ...rotary, ...kv, residual, normed, routes, areSumsExact };
        return { seconds: await runWholeLayers(this.#pool, call), routes: byLayer };
      },
    };
  }

  async logits(hidden: Float32Array): Promise<Float32Array> {
    const { hiddenSize, vocabSize } = this.#spec;
    const numLogits = (hidden.length / hiddenSize) * vocabSize;
    if (this.#logits.length < numLogits) this.#logits = new Float32Array(numLogits);
    const logits = this.#logits.subarray(0, numLogits);
    await this.#head.run(this.#pool, hidden, logits);
    return logits;
  }

  close(): Promise<void> {
    this.#embedding.close();
    return Promise.resolve();
  }

  #layer(layerIndex: number): DenseLayer {
    const layer = this.#layers[layerIndex];
    if (layer === undefined) throw new ExpertmeshError('internal', `the model has no layer ${String(layerIndex)}`);
    return layer;
  }
}

/** What the runner computes with. */
interface NativeParts {
  readonly pool: KernelPool;
  readonly layers: readonly DenseLayer[];
  readonly head: Head;
  readonly kv: KvMemory;
  /** The same memory as the kernels see it. */
  readonly blocks: KvPool;
}

/** Arrays for the routes of all layers with experts, and the views of each layer on them. */
function routesOfLayers(spec: ModelSpec, numRows: number) {
  const { topK, numExperts } = spec;
  const numLayers = moeLayerIndices(spec).length;
  const expertIds = new Int32Array(numLayers * numRows * topK);
  const routingWeights = new Float32Array(numLayers * numRows * topK);
  const probabilitySums = new Float32Array(numLayers * numExperts);
  const byLayer = Array.from({ length: numLayers }, (_, i) => ({
    expertIds: expertIds.subarray(i * numRows * topK, (i + 1) * numRows * topK),
    routingWeights: routingWeights.subarray(i * numRows * topK, (i + 1) * numRows * topK),
    probabilitySums: probabilitySums.subarray(i * numExperts, (i + 1) * numExperts),
  }));
  return { routes: { expertIds, routingWeights, probabilitySums }, byLayer };
}

/**
 * Arrays that all layers of a step write in turn. A layer's hidden state is what the layer before it wrote, so there
 * are two of those.
 */
class StepOutputs {
  readonly routed: RoutedRows;
  readonly #residuals: readonly [Float32Array, Float32Array];

  constructor({ hiddenSize, numExperts, topK }: ModelSpec, numRows: number) {
    this.routed = {
      normed: new Float32Array(numRows * hiddenSize),
      expertIds: new Int32Array(numRows * topK),
      routingWeights: new Float32Array(numRows * topK),
      probabilitySums: new Float32Array(numExperts),
    };
    this.#residuals = [new Float32Array(numRows * hiddenSize), new Float32Array(numRows * hiddenSize)];
  }

  residual(layerIndex: number): Float32Array {
    return this.#residuals[layerIndex % 2 === 0 ? 0 : 1];
  }
}
