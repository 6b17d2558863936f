import { Command } from 'commander';
import { WORKER_OPTIONS } from './worker-options.js';
import { listeningContradiction } from './tls-options.js';
import { type ConfigOf, type Environment } from './option.js';
import { parseConfig } from './parse-config.js';

export type WorkerConfig = ConfigOf<typeof WORKER_OPTIONS>;

/** @throws CommanderError for wrong usage, after the message was printed. */
export function parseWorkerConfig(argv: readonly string[], env: Environment): WorkerConfig {
  const command = new Command('expertmesh worker').description('Holds a shard of the experts and computes them.');
  return parseConfig(command, WORKER_OPTIONS, argv, env, checkWorkerConfig);
}

function checkWorkerConfig(config: WorkerConfig): string | undefined {
  const { host, port: dataPort, controlPort } = config;
  if (dataPort === controlPort && dataPort !== 0)
    return `--port and --control-port are both ${String(dataPort)}: they must differ`;
  return listeningContradiction(config, host, '--host');
}
