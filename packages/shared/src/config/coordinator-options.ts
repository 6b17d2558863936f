import { LOG_LEVELS } from '../process/logger.js';
import { WIRE_DTYPES } from '../rpc/dispatch-message.js';
import { ACCESS_OPTIONS } from './access-options.js';
import { CLUSTER_OPTIONS, COORDINATOR_ID } from './cluster-options.js';
import { DEFAULT_PORTS } from './default-ports.js';
import { KV_DTYPE_CHOICES } from './kv-dtype.js';
import { absent, computed, constant, option, required } from './option.js';
import {
  addresses,
  byteSize,
  choice,
  decimal,
  directoryBudget,
  durationMs,
  integer,
  names,
  onOff,
  path,
  port,
  text,
} from './option-value.js';
import { PLACEMENT_OPTIONS } from './placement-options.js';
import { HTTP_TLS_OPTIONS, PLAINTEXT_MESH, TLS_OPTIONS } from './tls-options.js';
import { VERIFICATION_OPTIONS } from './verification-options.js';
import { NUMERICS } from './numerics.js';
import { WORKER_OPTIONS } from './worker-options.js';

const KV_CACHE_MAX_BYTES = 16 * 2 ** 30;

export const COORDINATOR_OPTIONS = {
  store: option({
    description: 'Expert store of the model: a directory written by "expertmesh pack", the same as the workers have.',
    value: path('<dir>'),
    default: required,
  }),
  workers: option({
    description:
      'Control addresses of the workers. The experts are split evenly over them, ' +
      'in this order. Required without --nats-url, unless --local-experts is given.',
    value: addresses(DEFAULT_PORTS.control),
    default: computed('none', () => []),
  }),
  ...CLUSTER_OPTIONS,
  coordinatorId: COORDINATOR_ID,
  ...PLACEMENT_OPTIONS,
  localExperts: option({
    description:
      'Compute experts in this process, too: all of them without --workers, ' +
      'else the share of one more worker. No wire lies between.',
    value: onOff(),
    default: constant(false),
  }),
  host: option({
    description: 'Address to listen on. Where strangers can reach it, ask for keys, and give --http-tls-cert.',
    value: text('<address>'),
    default: constant('127.0.0.1'),
  }),
  port: option({
    description: 'HTTP port (OpenAI API, health, metrics); 0 takes a free one.',
    value: port(),
    default: constant(DEFAULT_PORTS.http),
  }),
  grpcPort: option({
    description: 'gRPC port (InferenceService, and AdminService for what operators do); 0 takes a free one.',
    value: port(),
    default: constant(DEFAULT_PORTS.grpc),
  }),
  grpcHost: option({
    description:
      'Address that the gRPC port listens on. One that other machines reach needs --tls-ca, --tls-cert and ' +
      '--tls-key, or --plaintext-mesh.',
    value: text('<address>'),
    default: absent('--host'),
  }),
  ...TLS_OPTIONS,
  plaintextMesh: PLAINTEXT_MESH,
  ...HTTP_TLS_OPTIONS,
  reflection: option({
    description: 'Tell the services of the gRPC port to tools such as grpcurl.',
    value: onOff(),
    default: constant(false),
  }),
  trustRequestChatTemplate: option({
    description:
      'Take chat templates from requests. A template is a program that may run for seconds while other chats wait: ' +
      'only for clients that are trusted.',
    value: onOff(),
    default: constant(false),
  }),
  servedModelName: option({
    description: 'Names of the model in the API; answers have the first, unless a request asks for it by another.',
    value: names('<name,...>'),
    default: absent("the name of the store's directory"),
  }),
  ...ACCESS_OPTIONS,
  maxModelLen: option({
    description: 'Longest sequence, prompt and answer together, in tokens.',
    value: integer('<tokens>', 1, 2 ** 24),
    default: absent("the model's own limit, or less where the KV cache is too small for it"),
  }),
  maxNumSeqs: option({
    description: 'Most sequences that share a step; more of them wait.',
    value: integer('<n>', 1, 4096),
    default: constant(64),
  }),
  maxWaitingSeqs: option({
    description: 'Most sequences that wait for a place in the batch; further ones are refused with Retry-After.',
    value: integer('<n>', 1, 65_536),
    default: constant(1024),
  }),
  maxBatchTokens: option({
    description:
      'Most tokens of a step: one per sequence that decodes, ' +
      'the rest for prompts. More makes prompts faster and steps longer.',
    value: integer('<tokens>', 1, 65_536),
    default: constant(512),
  }),
  maxStepStretch: option({
    description:
      'Most that prompts may lengthen a step of sequences that decode, ' +
      'as a multiple of what it takes without them; about one step in 100 exceeds it. ' +
      'More makes prompts faster while others decode, and running answers slower.',
    value: decimal('<factor>', 1, 1000),
    default: constant(3),
  }),
  kvCacheBytes: option({
    description:
      'Memory for keys and values, in blocks of 32 tokens. A request takes blocks as its tokens come; when they ' +
      'run out, the newest of the lowest priority waits and goes on later. One that can never fit is refused.',
    value: byteSize(1_000_000),
    default: computed('a quarter of the available memory, at most 16 GiB', ({ machine }) =>
      Math.floor(Math.min(machine.availableMemoryBytes / 4, KV_CACHE_MAX_BYTES)),
    ),
  }),
  prefixCache: option({
    description:
      'Keep what was computed of prompts and answers as long as nobody needs its place, and share it with ' +
      'requests that begin alike.',
    value: choice(['on', 'off']),
    default: constant('on'),
  }),
  kvCacheDisk: option({
    description:
      'Where blocks of long prefixes are kept that memory has no room for, and how much of them: they are there ' +
      'again after a restart. It holds what was said in requests, so nobody else should read it.',
    value: directoryBudget(1_000_000),
    default: absent('nothing is kept on disk'),
  }),
  kvDtype: option({
    description:
      'What keys and values are stored as. int8, with a scale for each token and head, takes half of fp16, and ' +
      'that half of fp32.',
    value: choice(KV_DTYPE_CHOICES),
    default: computed('auto: fp32 for a store of 32 bits, else fp16', () => 'auto' as const),
  }),
  memoryBudgetBytes: option({
    description:
      'Memory for local experts, unless a GPU has them. A coordinator that would need more is refused before ' +
      'anything is loaded.',
    value: byteSize(1_000_000),
    default: absent("80 % of the machine's or container's memory, less --kv-cache-bytes"),
  }),
  ep: WORKER_OPTIONS.ep,
  isa: WORKER_OPTIONS.isa,
  gpuMemoryBytes: WORKER_OPTIONS.gpuMemoryBytes,
  numThreads: option({
    description: 'Threads that compute attention, router and head, and local experts.',
    value: integer('<n>', 1, 1024),
    default: computed('the number of cores', ({ machine }) => machine.numCores),
  }),
  ...VERIFICATION_OPTIONS,
  wireDtype: option({
    description:
      'Type of the token rows between coordinator and workers: fp32 is exact, ' +
      'fp16 halves the traffic, int8 quarters it; see docs/performance.md for the error.',
    value: choice(WIRE_DTYPES),
    default: constant('fp32'),
  }),
  numerics: option({
    description:
      'fast: sums are added in the order that is quickest, and rows come back from workers in --wire-dtype. ' +
      'invariant: the answer to a request has the same bits whatever the workers, the batch, the chunks of the ' +
      'prompt, and what else happens around it, and takes longer; see docs/numerics.md.',
    value: choice(NUMERICS),
    default: constant('fast'),
  }),
  speculative: option({
    description:
      'Draft tokens by looking up the end of the context in the context and verify them in one step: ' +
      'fewer round trips, the same tokens. It stops by itself while it does not pay.',
    value: choice(['off', 'prompt-lookup']),
    default: constant('off'),
  }),
  microBatches: option({
    description:
      'Into how many parts a step of several sequences is split, so that the coordinator computes one while the ' +
      'network and the workers have another. More than 1 pays where the network is slow.',
    value: integer('<n>', 1, 4),
    default: constant(1),
  }),
  dispatchTimeoutMs: option({
    description:
      'How long a worker may take for one call, in milliseconds. Then other replicas of its experts are asked; ' +
      'where there is none, the requests in the call fail.',
    value: durationMs(10, 600_000),
    default: constant(30_000),
  }),
  hedging: option({
    description:
      'Whether a call that takes three times as long as nearly all of its worker is sent to another replica as well. ' +
      'Who answers first counts; at most one call in twenty is sent twice.',
    value: choice(['on', 'off']),
    default: constant('on'),
  }),
  canaryIntervalMs: option({
    description:
      'Time in which every worker is asked for one expert of every layer with a fixed row, another expert each time, ' +
      'in milliseconds. A worker whose answers drift is asked for nothing until they are right. 0 asks ' +
      'only workers in quarantine.',
    value: durationMs(0, 86_400_000),
    default: constant(60_000),
  }),
  heartbeatIntervalMs: option({
    description: 'Time between two health checks of a worker, in milliseconds.',
    value: durationMs(50, 60_000),
    default: constant(500),
  }),
  heartbeatTimeoutMs: option({
    description: 'Silence after which a worker counts as away, in milliseconds.',
    value: durationMs(50, 60_000),
    default: constant(1_000),
  }),
  drainTimeoutMs: option({
    description: 'How long running requests may take after SIGTERM, in milliseconds.',
    value: durationMs(0, 600_000),
    default: constant(10_000),
  }),
  logLevel: option({
    description: 'Least important messages that are logged, as JSON lines on stderr.',
    value: choice(LOG_LEVELS),
    default: constant('info'),
  }),
} as const;
