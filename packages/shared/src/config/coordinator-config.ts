import { Command } from 'commander';
import { COORDINATOR_OPTIONS } from './coordinator-options.js';
import { type ConfigOf, type Environment } from './option.js';
import { parseConfig } from './parse-config.js';
import { listeningContradiction } from './tls-options.js';

export type CoordinatorConfig = ConfigOf<typeof COORDINATOR_OPTIONS>;

/** @throws CommanderError for wrong usage, after the message was printed. */
export function parseCoordinatorConfig(argv: readonly string[], env: Environment): CoordinatorConfig {
  const command = new Command('expertmesh coordinator').description(
    'Serves a model over HTTP: computes attention and routing, and has the workers compute the experts.',
  );
  return parseConfig(command, COORDINATOR_OPTIONS, argv, env, checkCoordinatorConfig);
}

/** What holds where --replacement-wait-ms is left out. */
export function replacementWaitMsOf({ replacementWaitMs, natsUrl }: ReplacementConfig): number {
  return replacementWaitMs ?? (natsUrl === undefined ? 0 : 10_000);
}

type ReplacementConfig = Pick<CoordinatorConfig, 'replacementWaitMs' | 'natsUrl'>;

/** Where the gRPC port listens. */
export function grpcHostOf({ grpcHost, host }: Pick<CoordinatorConfig, 'grpcHost' | 'host'>): string {
  return grpcHost ?? host;
}

function checkCoordinatorConfig(config: CoordinatorConfig): string | undefined {
  const { heartbeatIntervalMs, heartbeatTimeoutMs } = config;
  const contradiction = membershipContradiction(config);
  if (contradiction !== undefined) return contradiction;
  if (heartbeatTimeoutMs < heartbeatIntervalMs)
    return (
      `--heartbeat-timeout-ms ${String(heartbeatTimeoutMs)} must be at least --heartbeat-interval-ms ` +
      String(heartbeatIntervalMs)
    );
  return servingContradiction(config) ?? securityContradiction(config);
}

function securityContradiction(config: CoordinatorConfig): string | undefined {
  const { grpcHost, httpTlsCert, httpTlsKey } = config;
  if ((httpTlsCert === undefined) !== (httpTlsKey === undefined))
    return '--http-tls-cert and --http-tls-key go together';
  return listeningContradiction(config, grpcHostOf(config), grpcHost === undefined ? '--host' : '--grpc-host');
}

function membershipContradiction({ natsUrl, workers, localExperts }: CoordinatorConfig): string | undefined {
  if (natsUrl !== undefined && workers.length > 0)
    return (
      '--nats-url (or EXPERTMESH_NATS_URL) and --workers exclude each other: ' +
      'with NATS, workers are found by their own --nats-url'
    );
  if (natsUrl !== undefined && localExperts)
    return '--local-experts does not go with --nats-url: run a worker on this machine instead';
  if (natsUrl === undefined && workers.length === 0 && !localExperts)
    return (
      '--workers <host[:port],...> (or EXPERTMESH_WORKERS) or --nats-url is required, ' +
      'unless --local-experts computes the experts here'
    );
  return undefined;
}

/**
 * What is wrong with the settings that "up" passes on to the coordinator: it refuses them before anything is started.
 */
export function servingContradiction(
  config: Pick<
    CoordinatorConfig,
    'port' | 'grpcPort' | 'maxNumSeqs' | 'maxBatchTokens' | 'prefixCache' | 'kvCacheDisk'
  >,
): string | undefined {
  const { port: httpPort, grpcPort, maxNumSeqs, maxBatchTokens, prefixCache, kvCacheDisk } = config;
  if (httpPort === grpcPort && httpPort !== 0)
    return `--port and --grpc-port are both ${String(httpPort)}: they must differ`;
  if (maxBatchTokens < maxNumSeqs)
    return (
      `--max-batch-tokens ${String(maxBatchTokens)} must be at least --max-num-seqs ${String(maxNumSeqs)}: ` +
      'each running sequence needs one'
    );
  if (prefixCache === 'off' && kvCacheDisk !== undefined)
    return '--kv-cache-disk and --prefix-cache off exclude each other: what is kept on disk are prefixes';
  return undefined;
}
