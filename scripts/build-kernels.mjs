// Builds the native CPU kernels (packages/kernels) where a C++ compiler and Node's headers are. Without them, or when
// the build fails, it says so in one line and the product runs on ONNX Runtime alone. Does nothing while the sources
// are those of the last build.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const packageDir = fileURLToPath(new URL('../packages/kernels', import.meta.url));
const buildDir = join(packageDir, 'build');
const stampFile = join(buildDir, 'sources.sha256');
const logFile = join(buildDir, 'build.log');
const addonFile = join(buildDir, 'Release', 'expertmesh_kernels.node');

const stamp = sourcesStamp();
const lastStamp = existsSync(stampFile) ? readFileSync(stampFile, 'utf8') : '';
if (lastStamp !== stamp) build();
else if (!existsSync(addonFile)) skip(`the build failed before, see ${logFile} (remove ${buildDir} to try again)`);

function build() {
  if (!hasCompiler()) {
    skip('no C++ compiler (apt-get install g++ make python3, or set CXX)');
    return;
  }
  const nodeDir = findNodeDir();
  const args = [nodeGyp(), 'rebuild', '--jobs=max', ...(nodeDir === undefined ? [] : [`--nodedir=${nodeDir}`])];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: packageDir, encoding: 'utf8' });
  mkdirSync(buildDir, { recursive: true });
  writeFileSync(logFile, `${stdout}${stderr}`);
  writeFileSync(stampFile, stamp);
  if (status === 0) {
    console.log('native kernels: built');
    return;
  }
  rmSync(addonFile, { force: true });
  skip(`the build failed, see ${logFile}`);
}

function skip(reason) {
  console.log(`native kernels: skipped: ${reason}; everything works without them, slower`);
}

// Another Node or another compiler makes another addon.
function sourcesStamp() {
  const hash = createHash('sha256').update(`${process.version} ${process.arch} ${process.env['CXX'] ?? ''}`);
  const sources = readdirSync(join(packageDir, 'native'), { recursive: true }).filter((name) => /\.[ch]pp$/.test(name));
  for (const name of ['../binding.gyp', ...sources.sort()])
    hash.update(name).update(readFileSync(join(packageDir, 'native', name)));
  return hash.digest('hex');
}

function hasCompiler() {
  const candidates = [process.env['CXX'], 'g++', 'clang++', 'c++'].filter((name) => name !== undefined && name !== '');
  return candidates.some((name) => spawnSync(name, ['--version']).status === 0);
}

// Node's own headers, so that nothing has to be downloaded: where npm is told that they are, or beside the running
// Node.
function findNodeDir() {
  const candidates = [
    process.env['npm_config_nodedir'],
    npmConfig('nodedir'),
    resolve(dirname(process.execPath), '..'),
  ];
  return candidates.find((dir) => dir && existsSync(join(dir, 'include', 'node', 'node_api.h')));
}

function npmConfig(key) {
  try {
    const value = execFileSync('npm', ['config', 'get', key], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return value.trim();
  } catch {
    return undefined;
  }
}

function nodeGyp() {
  const require = createRequire(join(packageDir, 'package.json'));
  return join(dirname(require.resolve('node-gyp/package.json')), 'bin', 'node-gyp.js');
}
