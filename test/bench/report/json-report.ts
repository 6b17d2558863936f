import { cpus, release, totalmem } from 'node:os';
import { type Prediction } from '../harness/prediction.js';
import { type Samples } from '../harness/samples.js';
import { type Summary } from '../harness/statistics.js';
import { type TargetResult } from '../harness/targets.js';
import { peerVersions } from '../peers/installed-peers.js';

export interface JsonReport {
  readonly targets: readonly TargetResult[];
  /** By the name of the measure; see report/figure-rows.ts for units. */
  readonly figures: Readonly<Record<string, Summary>>;
  /** Of the whole 235B model on several boxes like this one. */
  readonly predictions: readonly Prediction[];
  readonly machine: MachineDescription;
  readonly settings: Readonly<Record<string, unknown>>;
}

interface MachineDescription {
  readonly cpu: string;
  readonly numCores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly node: string;
  /** Versions by title. */
  readonly peers: Readonly<Record<string, string>>;
}

export function machineDescription(): MachineDescription {
  const cores = cpus();
  return {
    cpu: cores[0]?.model ?? 'unknown',
    numCores: cores.length,
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.versions.node,
    peers: peerVersions(),
  };
}

export function figuresOf(samples: Samples): Record<string, Summary> {
  return Object.fromEntries(
    samples.names.flatMap((name) => {
      const summary = samples.summary(name);
      return summary === undefined ? [] : [[name, summary] as const];
    }),
  );
}
