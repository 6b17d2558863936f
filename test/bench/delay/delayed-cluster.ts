import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { CompletionClient } from 'expertmesh/bench/completion-client';
import { DelayProxy } from '@expertmesh/test-kit/delay-proxy';
import { NetworkNamespaces, type NetworkNamespace } from '@expertmesh/test-kit/network-namespace';
import { ExpertmeshProcess } from '@expertmesh/test-kit/process';
import { BENCH_MODEL } from '../harness/complete-together.js';

const LOOPBACK: NetworkNamespace = { address: '127.0.0.1', prefix: [] };
const RATE_MBIT = 1000;
const READY_TIMEOUT_MS = 600_000;

export interface DelayedClusterOptions {
  readonly store: ExpertStore;
  readonly numWorkers: number;
  /**
   * Flags of each coordinator, by a name of the caller's. All of them use the same workers, and none disturbs another
   * while idle.
   */
  readonly coordinators: Readonly<Record<string, readonly string[]>>;
  readonly say: (line: string) => void;
}

/**
 * Coordinators and workers as on boxes of their own: in network namespaces behind links of 1 Gbit/s, or on loopback
 * where namespaces are not allowed, and with a delay on every way between coordinators and workers. Each process
 * computes with one thread.
 */
export class DelayedCluster {
  readonly #processes: readonly ExpertmeshProcess[];
  readonly #proxy: DelayProxy;
  readonly #namespaces: NetworkNamespaces | undefined;
  readonly #urls: ReadonlyMap<string, string>;

  private constructor(
    processes: readonly ExpertmeshProcess[],
    proxy: DelayProxy,
    namespaces: NetworkNamespaces | undefined,
    urls: ReadonlyMap<string, string>,
  ) {
    this.#processes = processes;
    this.#proxy = proxy;
    this.#namespaces = namespaces;
    this.#urls = urls;
  }

  static async start(options: DelayedClusterOptions): Promise<DelayedCluster> {
    const { store, numWorkers, say } = options;
    const namespaces = createNamespaces(numWorkers + 1, say);
    const [coordinatorBox = LOOPBACK, ...workerBoxes] = namespaces?.boxes ?? [];
    const workers = Array.from({ length: numWorkers }, (_, index) =>
      startWorker(store, workerBoxes[index] ?? LOOPBACK),
    );
    const ports = await Promise.all(workers.map((worker) => worker.listening('worker')));
    // A worker says no more than its data port, which is then expected at the host of its control port. So the proxy
    // has, for each worker, an address of its own that listens on the same two ports.
    const routes = ports.flatMap(({ dataPort, controlPort }, index) =>
      [dataPort, controlPort].map((port) => ({
        from: { host: proxyHost(index), port },
        to: { host: (workerBoxes[index] ?? LOOPBACK).address, port },
      })),
    );
    const proxy = await DelayProxy.start({ routes, delayMs: 0 }, coordinatorBox.prefix);
    const addresses = ports.map(({ controlPort }, index) => `${proxyHost(index)}:${String(controlPort)}`);
    const urls = new Map<string, string>();
    const coordinators: ExpertmeshProcess[] = [];
    for (const [name, flags] of Object.entries(options.coordinators)) {
      const { coordinator, url } = await startCoordinator(store, coordinatorBox, addresses, flags);
      coordinators.push(coordinator);
      urls.set(name, url);
    }
    return new DelayedCluster([...coordinators, ...workers], proxy, namespaces, urls);
  }

  client(name: string): CompletionClient {
    return new CompletionClient(this.url(name));
  }

  url(name: string): string {
    const url = this.#urls.get(name);
    if (url === undefined) throw new Error(`no coordinator is called ${name}`);
    return url;
  }

  /** One way, in milliseconds. */
  async setDelay(delayMs: number): Promise<void> {
    await this.#proxy.setDelay(delayMs);
  }

  async stop(): Promise<void> {
    for (const { child } of this.#processes) child.kill('SIGKILL');
    await Promise.all(this.#processes.map((process) => process.exited()));
    await this.#proxy.stop();
    this.#namespaces?.close();
  }
}

const proxyHost = (workerIndex: number): string => `127.0.1.${String(workerIndex + 1)}`;

function createNamespaces(numBoxes: number, say: (line: string) => void): NetworkNamespaces | undefined {
  try {
    return NetworkNamespaces.create(numBoxes, RATE_MBIT);
  } catch (thrown) {
    say(
      `on loopback, without a limit of 1 Gbit/s: network namespaces cannot be made here (${(thrown as Error).message})`,
    );
    return undefined;
  }
}

function startWorker(store: ExpertStore, { address, prefix }: NetworkNamespace): ExpertmeshProcess {
  const args = ['worker', '--store', store.dir, '--host', address, '--port', '0', '--control-port', '0'];
  return ExpertmeshProcess.start([...args, '--num-threads', '1'], prefix);
}

async function startCoordinator(
  store: ExpertStore,
  { address, prefix }: NetworkNamespace,
  workerAddresses: readonly string[],
  flags: readonly string[],
): Promise<{ coordinator: ExpertmeshProcess; url: string }> {
  const args = ['coordinator', '--store', store.dir, '--workers', workerAddresses.join(',')];
  const ownAddress = ['--host', address, '--port', '0', '--grpc-port', '0', '--served-model-name', BENCH_MODEL];
  const coordinator = ExpertmeshProcess.start([...args, ...ownAddress, '--num-threads', '1', ...flags], prefix);
  const { httpPort } = await coordinator.listening('coordinator');
  const url = `http://${address}:${String(httpPort)}`;
  const isReady = async (): Promise<boolean> => (await fetch(`${url}/health/ready`)).ok;
  await coordinator.until(isReady, 'was ready', READY_TIMEOUT_MS);
  return { coordinator, url };
}
