// Renders the chart into infra/kustomize/, for those who deploy without helm. With --check it only says whether the
// folder is what the chart gives.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';

const ROOT = join(import.meta.dirname, '..');
const CHART = join(ROOT, 'infra/helm/expertmesh');
const TARGET = join(ROOT, 'infra/kustomize');
const NAMESPACE = 'expertmesh';
const EXAMPLES = ['qwen3-30b-a3b-3-boxes', 'qwen3-235b-a22b-8-boxes'];

const rendered = new Map([
  ...variant('base', []),
  ...EXAMPLES.flatMap((name) => [...variant(name, ['--values', join(CHART, 'examples', `${name}.yaml`)])]),
]);

if (process.argv.includes('--check')) {
  const stale = [...new Set([...rendered.keys(), ...present()])].filter((path) => read(path) !== rendered.get(path));
  for (const path of stale) console.error(`infra/kustomize/${path} is not what the chart gives`);
  if (stale.length > 0) console.error('to mend: node scripts/render-kustomize.mjs');
  process.exitCode = stale.length === 0 ? 0 : 1;
} else {
  for (const dir of dirs()) rmSync(join(TARGET, dir), { recursive: true });
  for (const [path, text] of rendered) {
    mkdirSync(join(TARGET, path, '..'), { recursive: true });
    writeFileSync(join(TARGET, path), text);
  }
}

/** One folder: a file per kind and name, and the kustomization that lists them. */
function* variant(dir, options) {
  const names = [];
  for (const manifest of template(options)) {
    const name = `${manifest.kind}-${manifest.metadata.name}.yaml`.toLowerCase();
    names.push(name);
    yield [`${dir}/${name}`, stringify(manifest, { lineWidth: 0 })];
  }
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    namespace: NAMESPACE,
    resources: names,
  };
  yield [`${dir}/kustomization.yaml`, stringify(kustomization)];
}

function template(options) {
  const tool = join(ROOT, 'scripts/kube-tool.mjs');
  const args = [tool, 'helm', 'template', 'expertmesh', CHART, '--namespace', NAMESPACE, ...options];
  const text = execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  return parseAllDocuments(text)
    .map((document) => document.toJS())
    .filter((manifest) => manifest !== null)
    .map(withoutHelm);
}

/** Nobody manages these by helm: its labels would only mislead. */
function withoutHelm(manifest) {
  return JSON.parse(JSON.stringify(manifest), (key, value) => {
    if (key !== 'labels') return value;
    return Object.fromEntries(
      Object.entries(value).filter(([label]) => label !== 'helm.sh/chart' && label !== 'app.kubernetes.io/managed-by'),
    );
  });
}

function dirs() {
  return readdirSync(TARGET, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
}

function present() {
  return dirs().flatMap((dir) => readdirSync(join(TARGET, dir)).map((name) => `${dir}/${name}`));
}

function read(path) {
  try {
    return readFileSync(join(TARGET, path), 'utf8');
  } catch {
    return undefined;
  }
}
