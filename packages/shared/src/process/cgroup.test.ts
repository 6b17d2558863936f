import { describe, expect, it } from 'vitest';
import { readCgroupLimits } from './cgroup.js';
import { withinLimits } from './machine.js';

const files = (content: Readonly<Record<string, string>>) => (path: string) => content[path];
const GIB = 2 ** 30;

describe('readCgroupLimits', () => {
  it('reads version 2 and leaves out the page cache that can be dropped', () => {
    const limits = readCgroupLimits(
      files({
        '/proc/self/cgroup': '0::/\n',
        '/sys/fs/cgroup/memory.max': `${String(4 * GIB)}\n`,
        '/sys/fs/cgroup/memory.current': `${String(3 * GIB)}\n`,
        '/sys/fs/cgroup/memory.stat': `anon 5\ninactive_file ${String(2 * GIB)}\n`,
        '/sys/fs/cgroup/cpu.max': '150000 100000\n',
      }),
    );
    expect(limits).toEqual({ cores: 1.5, memoryBytes: 4 * GIB, memoryUsedBytes: GIB });
  });

  it('takes the tightest limit of all ancestors', () => {
    const limits = readCgroupLimits(
      files({
        '/proc/self/cgroup': '0::/pods/one',
        '/sys/fs/cgroup/pods/memory.max': String(2 * GIB),
        '/sys/fs/cgroup/pods/memory.current': String(GIB),
        '/sys/fs/cgroup/pods/one/memory.max': 'max',
        '/sys/fs/cgroup/pods/cpu.max': 'max 100000',
        '/sys/fs/cgroup/pods/one/cpu.max': '300000 100000',
      }),
    );
    expect(limits).toEqual({ cores: 3, memoryBytes: 2 * GIB, memoryUsedBytes: GIB });
  });

  it('reads version 1', () => {
    const limits = readCgroupLimits(
      files({
        '/proc/self/cgroup': '5:cpu,cpuacct:/\n4:memory:/host/path\n',
        '/sys/fs/cgroup/memory/memory.limit_in_bytes': String(GIB),
        '/sys/fs/cgroup/memory/memory.usage_in_bytes': String(GIB / 2),
        '/sys/fs/cgroup/memory/memory.stat': `total_inactive_file ${String(GIB / 4)}`,
        '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '50000',
        '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000',
      }),
    );
    expect(limits).toEqual({ cores: 0.5, memoryBytes: GIB, memoryUsedBytes: GIB / 4 });
  });

  it('finds no limit where none is set', () => {
    const limits = readCgroupLimits(
      files({
        '/proc/self/cgroup': '4:memory:/\n1:cpu:/\n0::/',
        '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712',
        '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1',
        '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000',
      }),
    );
    expect(limits).toEqual({ cores: undefined, memoryBytes: undefined, memoryUsedBytes: undefined });
  });
});

describe('withinLimits', () => {
  const machine = { numCores: 8, totalMemoryBytes: 32 * GIB, availableMemoryBytes: 20 * GIB };

  it('is the machine where nothing limits it', () => {
    const unlimited = { cores: undefined, memoryBytes: undefined, memoryUsedBytes: undefined };
    expect(withinLimits(machine, unlimited)).toEqual(machine);
  });

  it('rounds a fraction of a core up, and counts what the container has already used', () => {
    expect(withinLimits(machine, { cores: 1.5, memoryBytes: 4 * GIB, memoryUsedBytes: GIB })).toEqual({
      numCores: 2,
      totalMemoryBytes: 4 * GIB,
      availableMemoryBytes: 3 * GIB,
    });
  });
});
