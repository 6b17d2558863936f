import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { loadKernels, whyNoKernels } from '@expertmesh/kernels/kernels';
import { expect, it } from 'vitest';
import { describeKernels } from '@expertmesh/test-kit/describe-kernels';
import { ImageTree, type Place } from '@expertmesh/test-kit/image-tree';
import { REPOSITORY_DIR } from '@expertmesh/test-kit/kubernetes-manifests';

/** As package-lock.json has it: a workspace is a link, and `dev` is what nothing needs at run time. */
interface LockedPackage {
  readonly dev?: true;
  readonly link?: true;
  readonly resolved?: string;
}

describeKernels('the Dockerfile, without docker', loadKernels() ?? whyNoKernels(), () => {
  it('builds and runs with what it copies alone', () => {
    const image = new ImageTree({
      dockerfile: join(REPOSITORY_DIR, 'infra/docker/Dockerfile'),
      contextDir: REPOSITORY_DIR,
      run,
    });
    const { workDir } = image.build('cli');
    const expertmesh = (...args: readonly string[]): string =>
      execFileSync(process.execPath, [join(workDir, 'packages/cli/bin/expertmesh.js'), ...args], { encoding: 'utf8' });
    expect(expertmesh('--version')).toMatch(/^\d+\.\d+\.\d+\n$/);
    for (const role of ['coordinator', 'worker']) expect(expertmesh(role, '--help')).toContain('--store');
    const store = join(workDir, 'store');
    expect(expertmesh('pack', join(workDir, 'models/qwen3-moe-demo'), store)).toContain('store');

    const files = readdirSync(join(workDir, 'packages'), { recursive: true, encoding: 'utf8' });
    expect(files).toContain('kernels/build/Release/expertmesh_kernels.node');
    expect(files.filter((file) => /(?<!\.d)\.ts$|\.[ch]pp$|\.tsbuildinfo$/.test(file))).toEqual([]);
    expect(readdirSync(image.build('worker').workDir)).not.toContain('models');
  }, 300_000);
});

/** Of the system, and not of the program. */
const SYSTEM_COMMAND = /^(apt-get|groupadd|ln) /;

function run(command: string, { rootDir, workDir }: Place): void {
  if (SYSTEM_COMMAND.test(command)) return;
  if (command === 'npm ci') {
    linkDependencies(workDir, () => true);
    // With the same sources nothing is compiled again.
    cpSync(join(REPOSITORY_DIR, 'packages/kernels/build'), join(workDir, 'packages/kernels/build'), {
      recursive: true,
    });
  } else if (command.startsWith('npm prune --omit=dev')) linkDependencies(workDir, ({ dev }) => dev !== true);
  else if (command === 'npm run build') expect(shell(command, workDir)).not.toContain('native kernels');
  else if (command.startsWith('mkdir /runtime '))
    shell(command.replaceAll('/runtime', join(rootDir, 'runtime')), workDir);
  else throw new Error(`RUN ${command}: this test does not know what of it to do`);
}

function shell(command: string, workDir: string): string {
  const { status, stdout, stderr } = spawnSync('sh', ['-c', command], { cwd: workDir, encoding: 'utf8' });
  if (status !== 0) throw new Error(`RUN ${command}:\n${stdout}${stderr}`);
  return stdout;
}

/** Stands for an installation: links to the packages of this one. */
function linkDependencies(workDir: string, isWanted: (locked: LockedPackage) => boolean): void {
  const lock = JSON.parse(readFileSync(join(workDir, 'package-lock.json'), 'utf8')) as {
    packages: Readonly<Record<string, LockedPackage>>;
  };
  rmSync(join(workDir, 'node_modules'), { recursive: true, force: true });
  for (const [path, locked] of Object.entries(lock.packages)) {
    const isInstalled = /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) && existsSync(join(REPOSITORY_DIR, path));
    if (!isInstalled || !isWanted(locked)) continue;
    const parent = dirname(join(workDir, path));
    mkdirSync(parent, { recursive: true });
    const workspace = relative(parent, join(workDir, locked.resolved ?? ''));
    symlinkSync(locked.link === true ? workspace : join(REPOSITORY_DIR, path), join(workDir, path));
  }
  symlinkSync(join(REPOSITORY_DIR, 'node_modules/.bin'), join(workDir, 'node_modules/.bin'));
}
