import { Readable } from 'node:stream';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import {
  type ClusterView,
  type ExpertStats,
  type PlacementPlan,
  type PlacementView,
} from '@expertmesh/shared/gen/expertmesh/v1/admin';
import { type Placement } from '@expertmesh/shared/placement/placement';
import { toPlacement } from 'expertmesh/admin/placement-loads';
import { readEventStream } from 'expertmesh/client/event-stream-reader';
import { ExpertmeshProcess } from '@expertmesh/test-kit/process';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { startWorkers } from '@expertmesh/test-kit/worker-fleet';

/** Worker processes of one thread each and a coordinator over them, as its API shows them. */
export class DemoCluster {
  readonly url: string;
  readonly #coordinator: ExpertmeshProcess;
  readonly #stopWorkers: () => Promise<void>;

  private constructor(url: string, coordinator: ExpertmeshProcess, stopWorkers: () => Promise<void>) {
    this.url = url;
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
    const { httpPort } = await coordinator.listening('coordinator');
    const url = `http://127.0.0.1:${String(httpPort)}`;
    await coordinator.until(async () => (await fetch(`${url}/health/ready`)).ok, 'was ready');
    return new DemoCluster(url, coordinator, () => fleet.stop());
  }

  async cluster(): Promise<ClusterView> {
    return (await this.#get('cluster')) as ClusterView;
  }

  async stats(window: 'window' | 'recent' | 'total'): Promise<ExpertStats> {
    return (await this.#get(`experts/stats?window=${window}`)) as ExpertStats;
  }

  async placement(): Promise<Placement> {
    return toPlacement((await this.#get('placement')) as PlacementView);
  }

  async plan(wish: { readonly policy: string; readonly redundantExperts: number }): Promise<PlacementPlan> {
    return (await (await this.#post('placement/plan', wish)).json()) as PlacementPlan;
  }

  /** Resolves when the plan is in force; returns the bytes that were moved. */
  async apply(plan: PlacementPlan): Promise<number> {
    const response = await this.#post('placement/apply', { plan });
    let last: { state: string; message: string; bytesDone: number } | undefined;
    for await (const data of readEventStream(response.body ?? Readable.from([])))
      last = JSON.parse(data) as typeof last;
    if (last?.state !== 'done') throw new Error(`the plan is not in force: ${JSON.stringify(last)}`);
    return last.bytesDone;
  }

  /** (row, expert) pairs sent to each worker since the start. */
  async workerTokens(): Promise<number[]> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    return [...text.matchAll(/^expertmesh:worker_expert_tokens_total\{[^}]*\} (\S+)/gm)].map(([, count]) =>
      Number(count),
    );
  }

  async stop(): Promise<void> {
    await this.#coordinator.stop('SIGKILL');
    await this.#stopWorkers();
  }

  async #get(path: string): Promise<unknown> {
    return (await required(fetch(`${this.url}/admin/v1/${path}`))).json();
  }

  #post(path: string, body: object): Promise<Response> {
    const headers = { 'content-type': 'application/json' };
    return required(fetch(`${this.url}/admin/v1/${path}`, { method: 'POST', headers, body: JSON.stringify(body) }));
  }
}

async function required(answer: Promise<Response>): Promise<Response> {
  const response = await answer;
  if (response.ok) return response;
  throw new Error(`${response.url}: HTTP ${String(response.status)} ${await response.text()}`);
}
