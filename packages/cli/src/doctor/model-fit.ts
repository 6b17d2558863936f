import { storeBlobs } from '@expertmesh/shared/expert-store/store-blobs';
import { PRESET_CONFIGS } from '@expertmesh/shared/expert-store/synth/presets';
import { DEFAULT_BLOCK_SIZE } from '@expertmesh/shared/expert-store/writing/choose-quantisation';
import { QUANTISED_MEMORY_FACTOR } from '@expertmesh/shared/limits/limits';
import { parseModelSpec } from '@expertmesh/shared/model/model-spec';

/** How a model of some bits would fit boxes like this one. */
export interface ModelFit {
  readonly model: string;
  readonly bits: 4 | 8;
  /** Memory for all weights, prepared for computing. */
  readonly memoryBytes: number;
  /** Boxes like this one that hold it together; undefined when not even the coordinator's part fits on one. */
  readonly numBoxes: number | undefined;
}

const MODELS = ['qwen3-30b-a3b', 'qwen3-235b-a22b'] as const;
/** The part of a box's memory that weights may take; the rest is for the KV cache, rows in flight and the system. */
export const USABLE_MEMORY = 0.8;

export function modelFits(totalMemoryBytes: number): ModelFit[] {
  return MODELS.flatMap((model) => ([4, 8] as const).map((bits) => modelFit(model, bits, totalMemoryBytes)));
}

/** The dense part is the coordinator's and stays whole; experts go wherever there is room. */
function modelFit(model: (typeof MODELS)[number], bits: 4 | 8, totalMemoryBytes: number): ModelFit {
  const blobs = storeBlobs(parseModelSpec(PRESET_CONFIGS[model]), { bits, blockSize: DEFAULT_BLOCK_SIZE });
  const sumBytes = (isCounted: (kind: string) => boolean): number =>
    Math.ceil(
      blobs.reduce((sum, { content, layout }) => (isCounted(content.kind) ? sum + layout.sizeBytes : sum), 0) *
        QUANTISED_MEMORY_FACTOR,
    );
  const memoryBytes = sumBytes(() => true);
  const boxBytes = totalMemoryBytes * USABLE_MEMORY;
  const isDenseTooLarge = sumBytes((kind) => kind !== 'expert') > boxBytes;
  return { model, bits, memoryBytes, numBoxes: isDenseTooLarge ? undefined : Math.ceil(memoryBytes / boxBytes) };
}
