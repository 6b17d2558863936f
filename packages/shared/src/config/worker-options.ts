import { LOG_LEVELS } from '../process/logger.js';
import { CLUSTER_OPTIONS, FAILURE_DOMAIN, WORKER_ID } from './cluster-options.js';
import { EXECUTION_PROVIDERS } from './execution-provider.js';
import { ISA_CHOICES } from './kernel-isa.js';
import { DEFAULT_PORTS } from './default-ports.js';
import { absent, computed, constant, option, required } from './option.js';
import { byteSize, choice, durationMs, integer, path, port, text } from './option-value.js';
import { PLAINTEXT_MESH, TLS_OPTIONS } from './tls-options.js';
import { VERIFICATION_OPTIONS } from './verification-options.js';

export const WORKER_OPTIONS = {
  store: option({
    description: 'Expert store to read experts from: a directory written by "expertmesh pack".',
    value: path('<dir>'),
    default: required,
  }),
  host: option({
    description:
      'Address to listen on. One that other machines reach needs --tls-ca, --tls-cert and --tls-key, or ' +
      '--plaintext-mesh.',
    value: text('<address>'),
    default: constant('0.0.0.0'),
  }),
  port: option({
    description: 'Data-plane port (gRPC ExpertService); 0 takes a free one.',
    value: port(),
    default: constant(DEFAULT_PORTS.data),
  }),
  controlPort: option({
    description: 'Control port (gRPC WorkerService and health); 0 takes a free one.',
    value: port(),
    default: constant(DEFAULT_PORTS.control),
  }),
  ...TLS_OPTIONS,
  plaintextMesh: PLAINTEXT_MESH,
  ...CLUSTER_OPTIONS,
  workerId: WORKER_ID,
  failureDomain: FAILURE_DOMAIN,
  memoryBudgetBytes: option({
    description:
      'Memory for experts, unless a GPU has them. An assignment that would need more is refused before anything ' +
      'is loaded.',
    value: byteSize(1_000_000),
    default: computed("80 % of the machine's or container's memory", ({ machine }) =>
      Math.floor(machine.totalMemoryBytes * 0.8),
    ),
  }),
  numThreads: option({
    description: 'Threads that compute experts.',
    value: integer('<n>', 1, 1024),
    default: computed('the number of cores', ({ machine }) => machine.numCores),
  }),
  ep: option({
    description:
      'What computes: native is our own kernels for CPUs (4, 8 and 32 bits; ' +
      'where they were built), cpu is ONNX Runtime, the others are GPUs. ' +
      'auto takes a GPU that is proved to be large enough, correct and faster, ' +
      'else native, else cpu. See docs/providers.md.',
    value: choice(EXECUTION_PROVIDERS),
    default: constant('auto'),
  }),
  isa: option({
    description:
      'Instruction set of the native kernels. auto takes the best that the CPU has; ' +
      'another one is for tests and comparisons.',
    value: choice(ISA_CHOICES),
    default: constant('auto'),
  }),
  gpuMemoryBytes: option({
    description:
      'Memory of the GPU that may be used, with a GPU as --ep. ' +
      'What would need more is refused before anything is loaded.',
    value: byteSize(1_000_000),
    default: absent('90 % of what nvidia-smi says is free; not checked where it says nothing'),
  }),
  ...VERIFICATION_OPTIONS,
  drainTimeoutMs: option({
    description: 'How long calls in flight may take after SIGTERM, in milliseconds.',
    value: durationMs(0, 600_000),
    default: constant(10_000),
  }),
  logLevel: option({
    description: 'Least important messages that are logged, as JSON lines on stderr.',
    value: choice(LOG_LEVELS),
    default: constant('info'),
  }),
} as const;
