import { readFileSync } from 'node:fs';
import { availableParallelism, freemem, totalmem } from 'node:os';
import { readCgroupLimits, type CgroupLimits, type ReadText } from './cgroup.js';

/** What this process may use: the machine, or less where a control group (a container) limits it. */
export interface MachineResources {
  /** At least 1. */
  readonly numCores: number;
  readonly totalMemoryBytes: number;
  readonly availableMemoryBytes: number;
}

export function machineResources(): MachineResources {
  const machine = {
    numCores: availableParallelism(),
    totalMemoryBytes: totalmem(),
    availableMemoryBytes: freemem(),
  };
  return withinLimits(machine, readCgroupLimits(readFileText));
}

export function withinLimits(machine: MachineResources, limits: CgroupLimits): MachineResources {
  const totalMemoryBytes = Math.min(machine.totalMemoryBytes, limits.memoryBytes ?? Infinity);
  const headroomBytes = totalMemoryBytes - (limits.memoryUsedBytes ?? 0);
  return {
    numCores: Math.max(1, Math.min(machine.numCores, Math.ceil(limits.cores ?? Infinity))),
    totalMemoryBytes,
    availableMemoryBytes: Math.max(0, Math.min(machine.availableMemoryBytes, headroomBytes)),
  };
}

// Other systems have no such files, and a container may show only some of them.
const readFileText: ReadText = (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
};
