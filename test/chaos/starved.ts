import { spawnSync } from 'node:child_process';
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { type CommandPrefix } from '@expertmesh/test-kit/fork-typescript';
import { tempDir } from '@expertmesh/test-kit/temp-dir';

const DISK_SIZE = '8m';

/** A file system that is soon full. */
export class SmallDisk {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
    process.once('exit', this.close);
  }

  /** Undefined where this user may mount none. */
  static mount(): SmallDisk | undefined {
    const path = tempDir();
    const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_SIZE}`, 'chaos', path]);
    return status === 0 ? new SmallDisk(path) : undefined;
  }

  readonly close = (): void => {
    spawnSync('umount', ['--lazy', this.path]);
    process.off('exit', this.close);
  };
}

/** A control group with little memory. */
export class MemoryLimit {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
    process.once('exit', this.close);
  }

  /** Undefined where this user may make none, or the system has no memory controller where it is looked for. */
  static create(limitBytes: number): MemoryLimit | undefined {
    for (const [root, file] of LAYOUTS) {
      const path = `${root}/expertmesh-chaos-${String(process.pid)}`;
      try {
        mkdirSync(path);
        writeFileSync(`${path}/${file}`, String(limitBytes));
        return new MemoryLimit(path);
      } catch {
        // The other layout, or none.
        spawnSync('rmdir', [path]);
      }
    }
    return undefined;
  }

  /** A process, from now on. */
  add(pid: number): void {
    writeFileSync(`${this.#path}/cgroup.procs`, String(pid));
  }

  /** Its processes must have ended. */
  readonly close = (): void => {
    process.off('exit', this.close);
    try {
      rmdirSync(this.#path);
    } catch {
      // A process is still ending: the group is left, empty.
    }
  };
}

/** Of the two versions of control groups. */
const LAYOUTS = [
  ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes'],
  ['/sys/fs/cgroup', 'memory.max'],
] as const;

/** Runs a process of Node whose clock on the wall is so much ahead of everybody's, or behind. */
export function clockAhead(ms: number): CommandPrefix {
  const shift = `const now = Date.now; Date.now = () => now() + (${String(ms)});`;
  return ['env', `NODE_OPTIONS=--import=data:text/javascript,${encodeURIComponent(shift)}`];
}
