import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import {
  CHART_DIR,
  kubeTool,
  parseManifests,
  renderChart,
  REPOSITORY_DIR,
  typeErrors,
  type Manifest,
} from '../kit/kubernetes-manifests.js';

const example = (name: string): string[] => ['--values', join(CHART_DIR, 'examples', `${name}.yaml`)];

const VARIANTS: readonly (readonly [string, readonly string[]])[] = [
  ['the default values', []],
  ['30B-A3B on 3 boxes', example('qwen3-30b-a3b-3-boxes')],
  ['235B-A22B on 8 boxes', example('qwen3-235b-a22b-8-boxes')],
  ['NATS elsewhere', ['--set', 'nats.enabled=false,nats.url=nats://nats.messaging:4222']],
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
    ['nats.enabled=false', 'nats.url is needed'],
  ])('refuses %s and says why', async (setting, reason) => {
    await expect(renderChart('--set', setting)).rejects.toThrow(reason);
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
