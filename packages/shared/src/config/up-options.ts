import { BLOCK_SIZES, WEIGHT_BITS } from '../expert-store/quantisation.js';
import { COORDINATOR_OPTIONS } from './coordinator-options.js';
import { VERIFICATION_OPTIONS } from './verification-options.js';
import { WORKER_OPTIONS } from './worker-options.js';
import { BLOCK_SIZE_MEANING, DEFAULT_BLOCK_SIZE } from '../expert-store/writing/choose-quantisation.js';
import { absent, computed, constant, option } from './option.js';
import { choice, integer, path } from './option-value.js';
import { pick } from './pick.js';

/** Options of a coordinator that `up` has as well, and passes on as they are. */
export const PASSED_ON_OPTIONS = [
  'apiKeys',
  'unknownFields',
  'maxModelLen',
  'maxNumSeqs',
  'maxWaitingSeqs',
  'maxBatchTokens',
  'maxStepStretch',
  'kvCacheBytes',
  'prefixCache',
  'kvCacheDisk',
  'kvDtype',
  'wireDtype',
  'numerics',
  'speculative',
  'microBatches',
  'reflection',
  'trustRequestChatTemplate',
  'stateDir',
  'placementPolicy',
  'redundantExperts',
  'survive',
  'rebalance',
  'rebalanceThreshold',
  'rebalanceMinGain',
  'rebalanceCooldownMs',
  'rebalanceQuietHours',
  'moveBytesPerSecond',
  'repairAfterMs',
  'balanceWindowTokens',
] as const satisfies readonly (keyof typeof COORDINATOR_OPTIONS)[];

export const UP_OPTIONS = {
  model: option({
    description: 'Hugging Face checkpoint directory, or an expert store.',
    value: path('<dir>'),
    default: absent('the bundled demo model'),
  }),
  workers: option({
    description:
      'Number of worker processes. With 0 the coordinator computes the experts itself, ' +
      'which is fastest on one machine.',
    value: integer('<n>', 0, 1024),
    default: constant(4),
  }),
  bits: option({
    description: 'Bits per weight when a checkpoint is packed: 32 is exact, 8 is hard to tell from it, 4 is smallest.',
    value: choice(WEIGHT_BITS),
    default: absent('32 for a checkpoint below 1 GB, else 8'),
  }),
  blockSize: option({
    description: BLOCK_SIZE_MEANING,
    value: choice(BLOCK_SIZES),
    default: absent(String(DEFAULT_BLOCK_SIZE)),
  }),
  cacheDir: option({
    ...VERIFICATION_OPTIONS.cacheDir,
    description: 'Where packed checkpoints are kept, and the record of files that were verified.',
  }),
  verify: VERIFICATION_OPTIONS.verify,
  scrubBytesPerSecond: VERIFICATION_OPTIONS.scrubBytesPerSecond,
  ...pick(COORDINATOR_OPTIONS, ['host', 'port', 'grpcPort']),
  servedModelName: option({
    description: COORDINATOR_OPTIONS.servedModelName.description,
    value: COORDINATOR_OPTIONS.servedModelName.value,
    default: absent("the name of the model's directory"),
  }),
  ...pick(COORDINATOR_OPTIONS, ['apiKey', 'adminKey', 'corsOrigin']),
  ...pick(COORDINATOR_OPTIONS, PASSED_ON_OPTIONS),
  numThreads: option({
    description:
      'Cores to use: the coordinator computes with all of them, and the workers, who compute after it, share them.',
    value: integer('<n>', 1, 1024),
    default: computed('the number of cores', ({ machine }) => machine.numCores),
  }),
  ep: WORKER_OPTIONS.ep,
  isa: WORKER_OPTIONS.isa,
  gpuMemoryBytes: WORKER_OPTIONS.gpuMemoryBytes,
  drainTimeoutMs: COORDINATOR_OPTIONS.drainTimeoutMs,
  logLevel: option({ ...COORDINATOR_OPTIONS.logLevel, default: constant('warn') }),
} as const;
