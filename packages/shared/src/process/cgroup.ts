/** What a control group allows this process; undefined means no limit. */
export interface CgroupLimits {
  /** May be a fraction: a quota of 150 ms in each period of 100 ms is 1.5. */
  readonly cores: number | undefined;
  readonly memoryBytes: number | undefined;
  /** Memory in use that cannot simply be dropped: without the inactive page cache. */
  readonly memoryUsedBytes: number | undefined;
}

/** Returns the text of a file, or undefined when it cannot be read. */
export type ReadText = (path: string) => string | undefined;

const ROOT = '/sys/fs/cgroup';

/**
 * Reads the limits of the calling process's control groups, version 1 and 2. A limit may be set on any ancestor, so
 * each is looked at and the tightest one counts.
 */
export function readCgroupLimits(readText: ReadText): CgroupLimits {
  const paths = controllerPaths(readText('/proc/self/cgroup') ?? '');
  const unified = ancestors(ROOT, paths.get('') ?? '/');
  const memory = ancestors(`${ROOT}/memory`, paths.get('memory') ?? '/');
  const cpu = ancestors(`${ROOT}/cpu`, paths.get('cpu') ?? '/');
  const memories = [
    ...unified.map((directory) => memoryV2(readText, directory)),
    ...memory.map((directory) => memoryV1(readText, directory)),
  ].filter((found) => found !== undefined);
  const tightest = memories.sort((a, b) => headroom(a) - headroom(b))[0];
  return {
    cores: smallest([
      ...unified.map((directory) => coresV2(readText, directory)),
      ...cpu.map((directory) => coresV1(readText, directory)),
    ]),
    memoryBytes: smallest(memories.map(({ limitBytes }) => limitBytes)),
    memoryUsedBytes: tightest?.usedBytes,
  };
}

// Lines are "hierarchy-id:controllers:path"; version 2 has no controllers.
function controllerPaths(text: string): Map<string, string> {
  const paths = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    for (const controller of controllers.split(',')) paths.set(controller, path);
  }
  return paths;
}

// In a container the path may be the host's, of which only the mount's root can be seen; the root is always included.
function ancestors(mount: string, path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '..');
  return parts.map((_, index) => `${mount}/${parts.slice(0, index + 1).join('/')}`).concat(mount);
}

interface MemoryLimit {
  readonly limitBytes: number;
  readonly usedBytes: number;
}

const headroom = ({ limitBytes, usedBytes }: MemoryLimit): number => limitBytes - usedBytes;

function memoryV2(readText: ReadText, directory: string): MemoryLimit | undefined {
  const limitBytes = number(readText(`${directory}/memory.max`));
  if (limitBytes === undefined) return undefined;
  const cacheBytes = statField(readText(`${directory}/memory.stat`), 'inactive_file');
  return { limitBytes, usedBytes: Math.max(0, (number(readText(`${directory}/memory.current`)) ?? 0) - cacheBytes) };
}

// "No limit" in version 1 is a number near 2^63.
const V1_UNLIMITED_BYTES = 2 ** 60;

function memoryV1(readText: ReadText, directory: string): MemoryLimit | undefined {
  const limitBytes = number(readText(`${directory}/memory.limit_in_bytes`));
  if (limitBytes === undefined || limitBytes >= V1_UNLIMITED_BYTES) return undefined;
  const cacheBytes = statField(readText(`${directory}/memory.stat`), 'total_inactive_file');
  const usedBytes = number(readText(`${directory}/memory.usage_in_bytes`)) ?? 0;
  return { limitBytes, usedBytes: Math.max(0, usedBytes - cacheBytes) };
}

// cpu.max is "max 100000" or "150000 100000": quota and period in microseconds.
function coresV2(readText: ReadText, directory: string): number | undefined {
  const [quota, period] = (readText(`${directory}/cpu.max`) ?? '').split(' ').map(number);
  return quota === undefined || period === undefined ? undefined : quota / period;
}

function coresV1(readText: ReadText, directory: string): number | undefined {
  const quota = number(readText(`${directory}/cpu.cfs_quota_us`));
  const period = number(readText(`${directory}/cpu.cfs_period_us`));
  return quota === undefined || period === undefined ? undefined : quota / period;
}

function statField(text: string | undefined, field: string): number {
  const line = text?.split('\n').find((candidate) => candidate.startsWith(`${field} `));
  return number(line?.slice(field.length)) ?? 0;
}

// Not a number ("max") and negative ("-1") both mean that there is no limit.
function number(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text.trim()) ? Number(text) : undefined;
}

function smallest(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
