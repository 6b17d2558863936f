import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { type ClusterView, type ExpertStats, type PlacementHistory } from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { ExpertmeshProcess } from '../../kit/process.js';
import { tempDir } from '../../kit/temp-dir.js';
import { startWorkers } from '../../kit/worker-fleet.js';

/** Worker processes of one thread each and a coordinator over them, as its API shows them. */
export class DemoCluster {
  readonly url: string;
  readonly grpcAddress: string;
  readonly #coordinator: ExpertmeshProcess;
  readonly #stopWorkers: () => Promise<void>;

  private constructor(url: string, grpcAddress: string, coordinator: ExpertmeshProcess, stopWorkers: () => Promise<void>) {
    this.url = url;
    this.grpcAddress = grpcAddress;
    this.#coordinator = coordinator;
    this.#stopWorkers = stopWorkers;
  }

  static async start(store: ExpertStore, numWorkers: number, flags: readonly string[]): Promise<DemoCluster> {
    const fleet = await startWorkers(store.dir, numWorkers);
    const workers = fleet.controlAddresses.map(({ host, port }) => `${host}:${String(port)}`).join(',');
    const coordinator = ExpertmeshProcess.start([
      ...['coordinator', '--store', store.dir, '--workers', workers, '--state-dir', tempDir()],
      ...['--port', '0', '--grpc-port', '0', '--num-threads', '1', ...flags],
    ]);
    const { httpPort, grpcPort } = await coordinator.listening('coordinator');
    const url = `http://127.0.0.1:${String(httpPort)}`;
    await coordinator.until(async () => (await fetch(`${url}/health/ready`)).ok, 'was ready');
    return new DemoCluster(url, `127.0.0.1:${String(grpcPort)}`, coordinator, fleet.stop);
  }

  async cluster(): Promise<ClusterView> {
    return (await this.#get('cluster')) as ClusterView;
  }

  async stats(window: 'window' | 'recent' | 'total'): Promise<ExpertStats> {
    return (await this.#get(`experts/stats?window=${window}`)) as ExpertStats;
  }

  async history(): Promise<PlacementHistory> {
    return (await this.#get('placement/history?limit=100')) as PlacementHistory;
  }

  /** (row, expert) pairs sent to each worker since the start. */
  async workerTokens(): Promise<number[]> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    return [...text.matchAll(/^expertmesh:worker_expert_tokens_total\{[^}]*\} (\S+)/gm)].map(([, count]) => Number(count));
  }

  get log(): string {
    return this.#coordinator.output;
  }

  async stop(): Promise<void> {
    await this.#coordinator.stop('SIGKILL');
    await this.#stopWorkers();
  }

  async #get(path: string): Promise<unknown> {
    const response = await fetch(`${this.url}/admin/v1/${path}`);
    if (!response.ok) throw new Error(`GET ${path}: HTTP ${String(response.status)} ${await response.text()}`);
    return response.json();
  }
}
