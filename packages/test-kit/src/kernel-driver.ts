import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const PACKAGE_DIR = fileURLToPath(new URL('../../kernels', import.meta.url));
const CACHE_DIR = fileURLToPath(new URL('../../../.cache/kernel-driver', import.meta.url));

export interface DriverBuild {
  readonly compiler: string;
  /** As in binding.gyp. */
  readonly targetArch: 'x64' | 'arm64';
  /** For all files; those of an instruction set come from binding.gyp. */
  readonly flags: readonly string[];
}

interface GypTarget {
  readonly target_name: string;
  readonly sources: readonly string[];
  readonly cflags_cc?: readonly string[];
}

interface GypFile {
  readonly target_defaults: { readonly cflags_cc: readonly string[] };
  readonly targets: readonly GypTarget[];
  readonly conditions: readonly (readonly [condition: string, then: { readonly targets: readonly GypTarget[] }])[];
}

export function isInstalled(program: string): boolean {
  return spawnSync(program, ['--version']).status === 0;
}

/**
 * Compiles the kernels without Node, with the C++ tests of native/test, the way that binding.gyp says. The program is
 * kept until the sources change.
 *
 * @returns its path
 */
export async function buildKernelDriver(build: DriverBuild): Promise<string> {
  const gypText = readFileSync(join(PACKAGE_DIR, 'binding.gyp'), 'utf8');
  const dir = join(CACHE_DIR, sourcesHash(gypText, build));
  const program = join(dir, 'driver');
  if (existsSync(program)) return program;
  mkdirSync(dir, { recursive: true });
  const gyp = JSON.parse(gypText) as GypFile;
  const units = [...libraryUnits(gyp, build), ...testUnits(gyp)];
  const objects = units.map(({ source }) => join(dir, source.replaceAll('/', '-').replace(/\.cpp$/, '.o')));
  await compileAll(units, objects, build);
  await run(build.compiler, [...build.flags, '-pthread', ...objects, '-o', `${program}.new`]);
  renameSync(`${program}.new`, program);
  return program;
}

interface Unit {
  readonly source: string;
  readonly flags: readonly string[];
}

function libraryUnits(gyp: GypFile, { targetArch }: DriverBuild): Unit[] {
  const ofArch = gyp.conditions.find(([condition]) => condition === `target_arch=='${targetArch}'`)?.[1].targets ?? [];
  const libraries = gyp.targets.filter(({ target_name: name }) => name !== 'expertmesh_kernels');
  return [...libraries, ...ofArch].flatMap(({ sources, cflags_cc: flags = [] }) =>
    sources.map((source) => ({ source, flags: [...gyp.target_defaults.cflags_cc, ...flags] })),
  );
}

const testUnits = (gyp: GypFile): Unit[] =>
  readdirSync(join(PACKAGE_DIR, 'native/test'))
    .filter((name) => name.endsWith('.cpp'))
    .map((name) => ({ source: `native/test/${name}`, flags: gyp.target_defaults.cflags_cc }));

/** As many at once as there are cores. The build's own flags come last, so that they win over those of binding.gyp. */
async function compileAll(units: readonly Unit[], objects: readonly string[], build: DriverBuild): Promise<void> {
  let next = 0;
  const compileSome = async (): Promise<void> => {
    for (let index = next++; index < units.length; index = next++) {
      const { source = '', flags = [] } = units[index] ?? {};
      const args = [...flags, ...build.flags, '-Werror', '-c', source, '-o', objects[index] ?? ''];
      await run(build.compiler, args, { cwd: PACKAGE_DIR, maxBuffer: 2 ** 26 });
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, compileSome));
}

function sourcesHash(gypText: string, build: DriverBuild): string {
  const hash = createHash('sha256').update(JSON.stringify(build)).update(gypText);
  const dir = join(PACKAGE_DIR, 'native');
  const names = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) => /\.[ch]pp$/.test(name));
  for (const name of names.sort()) hash.update(name).update(readFileSync(join(dir, name)));
  return hash.digest('hex').slice(0, 16);
}
