import { constant, option } from './option.js';
import { text } from './option-value.js';
import { CLUSTER_OPTIONS } from './cluster-options.js';
import { TLS_OPTIONS } from './tls-options.js';
import { UP_OPTIONS } from './up-options.js';

export const DOCTOR_OPTIONS = {
  natsUrl: option({
    description: 'NATS server to look for. Only clusters with --nats-url need one.',
    value: text('<url>'),
    default: constant('nats://127.0.0.1:4222'),
  }),
  natsCreds: CLUSTER_OPTIONS.natsCreds,
  ...TLS_OPTIONS,
  cacheDir: UP_OPTIONS.cacheDir,
} as const;
