import { LOG_LEVELS } from '../process/logger.js';
import { DEFAULT_PORTS } from './default-ports.js';
import { computed, constant, option, required } from './option.js';
import { byteSize, choice, durationMs, integer, path, port, text } from './option-value.js';

export const WORKER_OPTIONS = {
  store: option({
    description: 'Expert store to read experts from: a directory written by "expertmesh pack".',
    value: path('<dir>'),
    default: required,
  }),
  host: option({
    description:
      'Address to listen on. Neither port has encryption or authentication: listen only where the cluster alone can reach.',
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
  memoryBudgetBytes: option({
    description: 'Memory for experts. An assignment that would need more is refused before anything is loaded.',
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
      'What computes experts: cpu is ONNX Runtime, native our own kernels (4, 8 and 32 bits; where they were built).',
    value: choice(['cpu', 'native']),
    default: constant('cpu'),
  }),
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
