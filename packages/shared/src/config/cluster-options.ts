import { isIPv6 } from 'node:net';
import { hostname } from 'node:os';
import { z } from 'zod';
import { parseNetworkAddress } from './network-address.js';
import { absent, computed, constant, option } from './option.js';
import { path, type OptionValue } from './option-value.js';

const NATS_PORT = 4222;

/** Of every process of a cluster that meets over NATS. */
export const CLUSTER_OPTIONS = {
  natsUrl: option({
    description:
      'NATS server (with JetStream) where the processes of the cluster find each other; ' +
      'several of one NATS cluster are separated by commas.',
    value: natsUrl(),
    default: absent('none: the coordinator is alone, and --workers names its workers'),
  }),
  natsCreds: option({
    description:
      'File by which the NATS server knows this process, where it does not by the certificate: a .creds file, or the ' +
      'seed of an nkey. It is read again at every connection.',
    value: path('<file>'),
    default: absent('the certificate of --tls-cert, if the server asks for anything'),
  }),
  cluster: option({
    description: 'Name of the cluster, with --nats-url: processes of the same name belong together.',
    value: clusterName(),
    default: constant('default'),
  }),
  advertiseHost: option({
    description: 'Host name or address where the others of the cluster reach this process, with --nats-url.',
    value: host(),
    default: absent("--host, or the host's name where that is 0.0.0.0 or ::"),
  }),
} as const;

export const WORKER_ID = option({
  description: 'Name of this worker, with --nats-url: the same after every restart, and no other worker has it.',
  value: memberId(),
  default: absent("the host's name and the control port"),
});

export const COORDINATOR_ID = option({
  description: 'Name of this coordinator, with --nats-url: no other coordinator has it.',
  value: memberId(),
  default: absent("the host's name and the gRPC port"),
});

export const FAILURE_DOMAIN = option({
  description:
    'What fails together with this worker: its rack, power or host. Replicas are spread over failure domains.',
  value: memberId(),
  default: computed("the host's name", () => hostname()),
});

/** As the NATS client takes it. */
function natsUrl(): OptionValue<string> {
  const isServer = (server: string): boolean =>
    parseNetworkAddress(server.replace(/^nats:\/\//, ''), NATS_PORT) !== undefined;
  return {
    placeholder: '<url>',
    accepts: `a URL such as nats://10.0.0.5:${String(NATS_PORT)}, or several separated by commas`,
    schema: z.string().refine((urls) => urls.split(',').every(isServer)),
  };
}

/** It is part of names and subjects in NATS. */
export function clusterName(): OptionValue<string> {
  return {
    placeholder: '<name>',
    accepts: 'at most 64 letters, digits, "-" and "_"',
    schema: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  };
}

function memberId(): OptionValue<string> {
  return {
    placeholder: '<name>',
    accepts: 'at most 128 letters, digits, ".", ":", "-" and "_"',
    schema: z.string().regex(/^[A-Za-z0-9._:-]{1,128}$/),
  };
}

function host(): OptionValue<string> {
  return {
    placeholder: '<host>',
    accepts: 'a host name or an address without a port',
    schema: z.string().refine((name) => isIPv6(name) || parseNetworkAddress(name, 1)?.host === name),
  };
}
