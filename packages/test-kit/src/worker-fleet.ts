import { type NetworkAddress } from '@expertmesh/shared/config/network-address';
import { ExpertmeshProcess } from './process.js';

/** Worker processes on free loopback ports. */
export interface WorkerFleet {
  readonly processes: readonly ExpertmeshProcess[];
  readonly controlAddresses: readonly NetworkAddress[];
  stop(): Promise<void>;
}

/** Starts `numWorkers` workers on a store and waits until all of them listen; they hold no experts yet. */
export async function startWorkers(
  storeDir: string,
  numWorkers: number,
  flags: readonly string[] = [],
): Promise<WorkerFleet> {
  const processes = Array.from({ length: numWorkers }, () => ExpertmeshProcess.start(workerArgs(storeDir, flags)));
  const ports = await Promise.all(processes.map((worker) => worker.listening('worker')));
  return {
    processes,
    controlAddresses: ports.map(({ controlPort }) => ({ host: '127.0.0.1', port: controlPort })),
    stop: async () => {
      await Promise.all(processes.map((worker) => worker.stop('SIGKILL')));
    },
  };
}

export function workerArgs(storeDir: string, flags: readonly string[] = []): string[] {
  return [
    'worker',
    ...['--store', storeDir, '--host', '127.0.0.1', '--port', '0', '--control-port', '0', '--num-threads', '1'],
    ...flags,
  ];
}
