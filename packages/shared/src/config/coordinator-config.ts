import { Command } from 'commander';
import { COORDINATOR_OPTIONS } from './coordinator-options.js';
import { type ConfigOf, type Environment } from './option.js';
import { parseConfig } from './parse-config.js';

export type CoordinatorConfig = ConfigOf<typeof COORDINATOR_OPTIONS>;

/** @throws CommanderError for wrong usage, after the message was printed. */
export function parseCoordinatorConfig(argv: readonly string[], env: Environment): CoordinatorConfig {
  const command = new Command('expertmesh coordinator').description(
    'Serves a model over HTTP: computes attention and routing, and has the workers compute the experts.',
  );
  return parseConfig(command, COORDINATOR_OPTIONS, argv, env, checkCoordinatorConfig);
}

function checkCoordinatorConfig(config: CoordinatorConfig): string | undefined {
  const { heartbeatIntervalMs, heartbeatTimeoutMs, workers, localExperts } = config;
  if (workers.length === 0 && !localExperts)
    return '--workers <host[:port],...> (or EXPERTMESH_WORKERS) is required, unless --local-experts computes the experts here';
  if (heartbeatTimeoutMs < heartbeatIntervalMs)
    return `--heartbeat-timeout-ms ${String(heartbeatTimeoutMs)} must be at least --heartbeat-interval-ms ${String(heartbeatIntervalMs)}`;
  return servingContradiction(config);
}

/** What is wrong with the settings that "up" passes on to the coordinator: it refuses them before anything is started. */
export function servingContradiction(
  config: Pick<CoordinatorConfig, 'port' | 'grpcPort' | 'maxNumSeqs' | 'maxBatchTokens'>,
): string | undefined {
  const { port: httpPort, grpcPort, maxNumSeqs, maxBatchTokens } = config;
  if (httpPort === grpcPort && httpPort !== 0)
    return `--port and --grpc-port are both ${String(httpPort)}: they must differ`;
  if (maxBatchTokens < maxNumSeqs)
    return `--max-batch-tokens ${String(maxBatchTokens)} must be at least --max-num-seqs ${String(maxNumSeqs)}: each running sequence needs one`;
  return undefined;
}
