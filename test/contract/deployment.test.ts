import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseCoordinatorConfig, type CoordinatorConfig } from '@expertmesh/shared/config/coordinator-config';
import { parseWorkerConfig, type WorkerConfig } from '@expertmesh/shared/config/worker-config';
import { PRESET_CONFIGS } from '@expertmesh/shared/expert-store/synth/presets';
import { parseModelSpec } from '@expertmesh/shared/model/model-spec';
import { simulatedModel } from '@expertmesh/shared/simulate/simulated-model';
import { describe, expect, it } from 'vitest';
import {
  CHART_DIR,
  kubeTool,
  parseManifests,
  renderChart,
  REPOSITORY_DIR,
  typeErrors,
  type Manifest,
} from '@expertmesh/test-kit/kubernetes-manifests';
import { runPreStop } from '@expertmesh/test-kit/pre-stop';
import { renderedPods, type RenderedPod } from '@expertmesh/test-kit/rendered-pods';
import { tempDir } from '@expertmesh/test-kit/temp-dir';

const example = (name: string): string[] => ['--values', join(CHART_DIR, 'examples', `${name}.yaml`)];

const VARIANTS: readonly (readonly [string, readonly string[]])[] = [
  ['the default values', []],
  ['30B-A3B on 3 boxes', example('qwen3-30b-a3b-3-boxes')],
  ['235B-A22B on 8 boxes', example('qwen3-235b-a22b-8-boxes')],
  [
    'NATS elsewhere, and a volume for the coordinator',
    ['--set', 'nats.enabled=false,nats.url=nats://nats-0:4222\\,nats-1,coordinator.persistence.enabled=true'],
  ],
  ['certificates', ['--set', 'tls.coordinatorSecret=c,tls.workerSecret=w,tls.natsSecret=n']],
  ['certificates and lists', ['--set', 'tls.coordinatorSecret=c,tls.workerSecret=w,tls.natsSecret=n,tls.crl=true']],
  [
    'a NATS elsewhere that knows processes by files',
    ['--set', 'nats.enabled=false,nats.url=nats://nats:4222,nats.coordinatorCredsSecret=c,nats.workerCredsSecret=w'],
  ],
  ['two coordinators and a volume', ['--set', 'coordinator.replicas=2,store.existingClaim=weights,store.subPath=demo']],
];

describe('the helm chart', () => {
  it.each(VARIANTS)('is accepted by helm lint and by the types of Kubernetes: %s', async (_, options) => {
    await kubeTool('helm', 'lint', '--strict', CHART_DIR, ...options);
    const manifests = await renderChart(...options);
    expect(manifests.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['Deployment', 'StatefulSet', 'Service', 'PodDisruptionBudget', 'ServiceAccount']),
    );
    expect(typeErrors(manifests)).toEqual([]);
    for (const pod of renderedPods(manifests)) expect(() => parseCommand(pod)).not.toThrow();
  });

  it('is not checked in vain: the types find a misspelt field and a wrong type', async () => {
    const manifests = await renderChart();
    const broken = manifests.map(
      (manifest) =>
        JSON.parse(
          JSON.stringify(manifest)
            .replaceAll('"readinessProbe"', '"readynessProbe"')
            .replaceAll('"clusterIP":"None"', '"clusterIP":false'),
        ) as Manifest,
    );
    const errors = typeErrors(broken).join('\n');
    expect(errors).toContain('readynessProbe');
    expect(errors).toContain("'boolean' is not assignable to type 'string'");
  });

  it.each([
    ['worker.pools[0].replicas=-1', 'minimum'],
    ['worker.pools[0].replica=3', 'replica'],
    ['coordinator.wireDtype=fp8', 'wireDtype'],
    ['placement.policy=best', 'policy'],
    ['coordinator.kvCacheBytes=much', 'kvCacheBytes'],
    ['coordinator.kvCacheBytes=512', 'kvCacheBytes'],
    ['nats.enabled=false', 'nats.url is needed'],
    ['nats.enabled=false,nats.url=tls://nats.messaging:4222', '/nats/url'],
    ['worker.pools[0].name=default,worker.pools[0].replicas=0', 'no pool has a worker'],
    ['coordinator.persistence.enabled=true,coordinator.replicas=2', 'one coordinator'],
    ['tls.coordinatorSecret=c', 'go together'],
    ['tls.crl=true', 'of no use without'],
    ['nats.enabled=false,nats.url=nats://nats:4222,nats.workerCredsSecret=w', 'go together'],
    ['nats.coordinatorCredsSecret=c,nats.workerCredsSecret=w', 'nats.enabled=false'],
  ])('refuses %s and says why', async (setting, reason) => {
    await expect(renderChart('--set', setting)).rejects.toThrow(reason);
  });

  it('has pods read the revocation lists that their secrets have', async () => {
    const certificates = 'tls.coordinatorSecret=c,tls.workerSecret=w,tls.natsSecret=n';
    const listsOf = async (setting: string): Promise<unknown[]> =>
      renderedPods(await renderChart('--set', setting)).flatMap((pod) => parseCommand(pod)?.tlsCrl ?? []);
    expect(await listsOf(`${certificates},tls.crl=true`)).toEqual(Array(4).fill('/etc/expertmesh/tls/ca.crl'));
    expect(await listsOf(certificates)).toEqual([]);
  });

  it('takes sizes as numbers, too', async () => {
    const numbers =
      '{"coordinator": {"kvCacheBytes": 8000000000, "maxModelLen": ' +
      '1048576}, "worker": {"memoryBudgetBytes": 12000000000}}';
    const values = join(tempDir(), 'values.json');
    await writeFile(values, numbers);
    const configs = renderedPods(await renderChart('--values', values)).map(parseCommand);
    expect(configs).toContainEqual(expect.objectContaining({ kvCacheBytes: 8e9, maxModelLen: 1_048_576 }));
    expect(configs).toContainEqual(expect.objectContaining({ memoryBudgetBytes: 12e9 }));
  });

  it('takes a name of the cluster that is as long as the program allows', async () => {
    const [coordinator] = renderedPods(await renderChart('--set', `cluster=${'c'.repeat(64)}`));
    expect(parseCommand(coordinator)).toMatchObject({ cluster: 'c'.repeat(64) });
    await expect(renderChart('--set', `cluster=${'c'.repeat(65)}`)).rejects.toThrow('/cluster');
  });

  it.each([
    ['qwen3-30b-a3b', 'qwen3-30b-a3b-3-boxes'],
    ['qwen3-235b-a22b', 'qwen3-235b-a22b-8-boxes'],
  ] as const)('has an example for %s where any worker can be drained', async (preset, name) => {
    const model = simulatedModel(parseModelSpec(PRESET_CONFIGS[preset]), { bits: 4, blockSize: 32 });
    const pods = renderedPods(await renderChart(...example(name)));
    const budgets = pods.filter(({ argv }) => argv[1] === 'worker').map(memoryBudgetBytes);
    const redundantExperts = Number(argumentOf(pods[0], '--redundant-experts'));
    const neededBytes = model.layerIndices.length * (model.numExperts + redundantExperts) * model.expertMemoryBytes;
    expect(sum(budgets) - Math.max(...budgets)).toBeGreaterThan(1.02 * neededBytes);
  });

  it('runs nothing as root and gives nobody a token of the Kubernetes API', async () => {
    const pods = (await renderChart()).filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet');
    expect(pods).toHaveLength(3);
    for (const { spec } of pods as (Manifest & { spec: object })[]) {
      expect(spec).toMatchObject({
        template: { spec: { automountServiceAccountToken: false, securityContext: { runAsNonRoot: true } } },
      });
      expect(JSON.stringify(spec)).toContain('"readOnlyRootFilesystem":true');
    }
  });
});

describe('preStop of a worker', () => {
  /** Counts what it is asked, refuses so many drains, and knows the worker or not. */
  const expertmesh = `echo "$*" >> "$CALLS"
case "$2" in
  drain) [ "$(grep -c drain "$CALLS")" -gt "$REFUSED" ] ;;
  describe) exit "$DESCRIBE" ;;
esac`;

  const leave = async (drainSeconds: number, refused: number, describeCode: number) => {
    const pods = renderedPods(await renderChart('--set', `worker.drainSeconds=${String(drainSeconds)}`));
    const worker = pods.find(({ name }) => name === 'expertmesh-worker-default-1');
    if (worker === undefined) throw new Error('there is no such worker');
    expect(worker.env).toMatchObject({ EXPERTMESH_COORDINATOR: 'expertmesh-coordinator-admin:9000' });
    const calls = join(tempDir(), 'calls');
    const overrides = { CALLS: calls, REFUSED: String(refused), DESCRIBE: String(describeCode) };
    const code = await runPreStop(worker, { expertmesh, sleep: 'exec /bin/sleep 0.01' }, overrides);
    return { code, calls: (await readFile(calls, 'utf8')).trimEnd().split('\n') };
  };
  const drain = 'workers drain expertmesh-worker-default-1 --until-restart --yes';
  const describeCall = 'workers describe expertmesh-worker-default-1';

  it('asks again after a refusal, as another worker may be leaving too', async () => {
    const { code, calls } = await leave(60, 2, 0);
    expect(calls).toEqual([drain, describeCall, drain, describeCall, drain]);
    expect(code).toBe(0);
  });

  it('gives up where no coordinator knows the worker', async () => {
    const { code, calls } = await leave(60, 1000, 1);
    expect(calls.filter((call) => call === drain)).toHaveLength(10);
    expect(code).toBe(1);
  });

  it('ends after drainSeconds, however often it is refused', async () => {
    const startedMs = performance.now();
    const { code } = await leave(1, 1e6, 0);
    expect(code).toBe(124);
    expect(performance.now() - startedMs).toBeLessThan(10_000);
  });
});

describe('infra/kustomize', () => {
  it('is what the chart gives', async () => {
    const script = join(REPOSITORY_DIR, 'scripts/render-kustomize.mjs');
    await promisify(execFile)(process.execPath, [script, '--check']);
  });

  it('is built by kubectl and accepted by the types of Kubernetes', async () => {
    const dir = join(REPOSITORY_DIR, 'infra/kustomize');
    for (const name of await readdir(dir)) {
      const manifests = parseManifests(await kubeTool('kubectl', 'kustomize', join(dir, name)));
      expect(manifests.length).toBeGreaterThan(5);
      expect(typeErrors(manifests)).toEqual([]);
    }
  });
});

/** Has the program read the command of a pod, in the pod's environment, as it does when it starts. */
function parseCommand(pod: RenderedPod | undefined): CoordinatorConfig | WorkerConfig | undefined {
  const [, role, ...args] = pod?.argv ?? [];
  if (pod === undefined || pod.argv[0] === 'nats-server') return undefined;
  return role === 'worker' ? parseWorkerConfig(args, pod.env) : parseCoordinatorConfig(args, pod.env);
}

const argumentOf = (pod: RenderedPod | undefined, flag: string): string | undefined =>
  pod?.argv[pod.argv.indexOf(flag) + 1];

/** Of a worker without --memory-budget-bytes: 80 % of the container's memory. */
const memoryBudgetBytes = ({ container }: RenderedPod): number =>
  0.8 * Number(container.resources.limits.memory.replace('Gi', '')) * 2 ** 30;

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
