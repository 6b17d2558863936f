import { join } from 'node:path';
import { type Quantisation } from '@expertmesh/shared/expert-store/quantisation';
import { expertLayout } from '@expertmesh/shared/expert-store/blob-layout';
import { storeBlobs } from '@expertmesh/shared/expert-store/store-blobs';
import { DummyWeights } from '@expertmesh/shared/expert-store/synth/dummy-weights';
import { BlobWriter } from '@expertmesh/shared/expert-store/writing/blob-writer';
import { type ModelSpec } from '@expertmesh/shared/model/model-spec';
import { type StoredExperts } from '../experts/expert-runners.js';

/** What is to be computed in earnest: the probe has its sizes. */
export interface ProbeGeometry {
  readonly spec: ModelSpec;
  readonly quantisation: Quantisation;
}

const MAX_EXPERTS = 24;
/** Of the experts together, so that large ones are fewer. */
const EXPERT_BYTES = 96 * 1024 * 1024;
/** From one expert that is needed to the next. */
export const IDLE_STRIDE = 3;
const VOCAB_SIZE = 512;

/**
 * Writes one layer with dummy weights into `dir`: matrices as large as the real ones, but few experts and a small
 * vocabulary. Every third expert is needed by every token; the others stay idle, as most do in a step.
 */
export function writeProbeModel(dir: string, geometry: ProbeGeometry): StoredExperts {
  const spec = probeSpec(geometry);
  const quantisation = dummyQuantisation(geometry.quantisation);
  const weights = new DummyWeights(quantisation.bits);
  for (const blob of storeBlobs(spec, quantisation)) {
    const writer = new BlobWriter(join(dir, blob.path));
    try {
      weights.writeBlob(blob, writer, () => undefined);
      writer.finish();
    } finally {
      writer.close();
    }
  }
  return { dir, spec, quantisation };
}

function probeSpec({ spec, quantisation }: ProbeGeometry): ModelSpec {
  const numFitting = Math.floor(EXPERT_BYTES / expertLayout(spec, quantisation).sizeBytes);
  const numActive = Math.max(1, Math.floor(Math.min(MAX_EXPERTS, numFitting) / IDLE_STRIDE));
  return {
    ...spec,
    numLayers: 1,
    layerKinds: ['moe'],
    numExperts: numActive * IDLE_STRIDE,
    topK: numActive,
    attentionBias: false,
    vocabSize: VOCAB_SIZE,
  };
}

/** Dummy weights of 16 bits are BF16; both kinds are expanded when they are loaded. */
const dummyQuantisation = (quantisation: Quantisation): Quantisation =>
  quantisation.bits === 16 ? { bits: 16, dtype: 'BF16' } : quantisation;
