import { DelayProxy } from '@expertmesh/test-kit/delay-proxy';
import { type ClusterWorker } from '@expertmesh/test-kit/nats-cluster';

/** Loopback, as is the address behind it: the same ports are free there. */
const FAR_HOST = '127.0.0.2';

/** The wire to a worker, which can become long or break. */
export class FarWire {
  /** The worker says that it is reached at the end of the wire. */
  static readonly workerFlags = ['--advertise-host', FAR_HOST];
  #proxy: DelayProxy | undefined;
  #worker: ClusterWorker | undefined;

  /** Leads to this worker from now on: to be called after each start of it. */
  async leadTo(worker: ClusterWorker): Promise<void> {
    await this.close();
    this.#worker = worker;
    const { controlPort, dataPort } = await worker.process.listening('worker');
    const routes = [controlPort, dataPort].map((port) => ({
      from: { host: FAR_HOST, port },
      to: { host: '127.0.0.1', port },
    }));
    this.#proxy = await DelayProxy.start({ routes, delayMs: 0 });
  }

  /** One way, in both directions. */
  async setDelay(delayMs: number): Promise<void> {
    await this.#proxy?.setDelay(delayMs);
  }

  /** Every connection ends; new ones are possible at once. */
  async break(): Promise<void> {
    if (this.#worker !== undefined) await this.leadTo(this.#worker);
  }

  async close(): Promise<void> {
    await this.#proxy?.stop();
    this.#proxy = undefined;
  }
}
