import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { arch, cpus } from 'node:os';
import { dirname } from 'node:path';
import { formatBytes } from '@expertmesh/shared/expert-store/format-bytes';
import { type MachineResources } from '@expertmesh/shared/process/machine';
import { broken, note, ok, type Check } from './check.js';

const MIN_NODE_VERSION = [20, 19] as const;

/** @param version as in process.versions.node */
export function nodeCheck(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [minMajor, minMinor] = MIN_NODE_VERSION;
  const isNewEnough = major > minMajor || (major === minMajor && minor >= minMinor);
  return isNewEnough
    ? ok('Node.js', version)
    : broken('Node.js', `${version}: install ${MIN_NODE_VERSION.join('.')} or newer`);
}

export function coresCheck({ numCores }: MachineResources): Check {
  return ok('cores', `${String(numCores)} x ${cpus()[0]?.model.trim() ?? arch()}`);
}

export function memoryCheck({ totalMemoryBytes, availableMemoryBytes }: MachineResources): Check {
  return ok('memory', `${formatBytes(totalMemoryBytes)}, of which ${formatBytes(availableMemoryBytes)} are available`);
}

/** The features that decide which of ONNX Runtime's kernels run, the best last. */
const CPU_FEATURES = ['avx2', 'avx_vnni', 'avx512f', 'avx512_vnni', 'amx_int8', 'asimd', 'asimddp', 'i8mm', 'sve'];

export function cpuFeaturesCheck(): Check {
  const found = cpuFlags();
  if (found === undefined) return note('CPU features', `not known on ${process.platform}`);
  const features = CPU_FEATURES.filter((feature) => found.has(feature));
  if (arch() === 'x64' && !features.includes('avx2')) return note('CPU features', 'no AVX2: everything works, slowly');
  return ok('CPU features', features.join(', '));
}

/** Only Linux says. */
function cpuFlags(): ReadonlySet<string> | undefined {
  try {
    const line = readFileSync('/proc/cpuinfo', 'utf8')
      .split('\n')
      .find((candidate) => /^(flags|Features)\s*:/.test(candidate));
    return line === undefined
      ? undefined
      : new Set(
          line
            .replace(/^[^:]*:/, '')
            .trim()
            .split(/\s+/),
        );
  } catch {
    return undefined;
  }
}

/** @param dir may not exist yet; then the file system of its nearest ancestor counts. */
export async function diskCheck(dir: string): Promise<Check> {
  try {
    const { bavail, bsize } = await statfs(dir);
    return ok('disk', `${formatBytes(bavail * bsize)} free for ${dir}`);
  } catch (error) {
    const parent = dirname(dir);
    if (parent === dir) return note('disk', `free space is not known: ${String(error)}`);
    const { status, detail } = await diskCheck(parent);
    return { name: 'disk', status, detail: detail.replace(/ for .*$/, ` for ${dir}`) };
  }
}
