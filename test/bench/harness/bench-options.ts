import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ISA_CHOICES, type IsaChoice } from '@expertmesh/shared/config/kernel-isa';

/** What can be measured by itself with --only. */
export const MEASURES = [
  'decode',
  'prefill',
  'first-token',
  'stall',
  'ready',
  'memory',
  'workers',
  'wire',
  'layers',
  'large',
  'delay',
  'context',
] as const;
export type MeasureName = (typeof MEASURES)[number];
/** What takes too long for a quick run, unless it is asked for by name. */
export const NOT_QUICK: readonly MeasureName[] = ['stall', 'large', 'context'];

export interface BenchOptions {
  readonly measures: ReadonlySet<MeasureName>;
  readonly isQuick: boolean;
  readonly asJson: boolean;
  readonly numRounds: number;
  readonly numThreads: number;
  /** Of our native kernels. */
  readonly isa: IsaChoice;
  readonly cacheDir: string;
  readonly plotFile: string;
  /** Further flags of `expertmesh up`, for all clusters of ours. */
  readonly upFlags: readonly string[];
}

export const USAGE = `npm run bench -- [options]

Measures Expertmesh, llama.cpp and ik_llama.cpp beside it on this machine, and the machine's own limits, in one run.

--quick           less than 3 minutes: 2 rounds, shorter answers, without ${NOT_QUICK.join(' and ')}
--only NAME       measure only this (may be given several times): ${MEASURES.join(', ')}
--json            print JSON instead of tables
--rounds N        rounds of every measure (5; 2 with --quick)
--threads N       threads of each side in total (2)
--isa NAME        instruction set of our kernels, as --isa of "expertmesh up" (auto)
--up-flags FLAGS  further flags of "expertmesh up" for all clusters of ours
--cache-dir DIR   where dummy stores and the GGUF file are kept (expertmesh-bench in the user's cache; about 14 GB)
--plot FILE       where the plot of time per layer stage goes (layer-stages.svg in the cache directory)
`;

/** @throws Error for wrong usage. */
export function parseBenchOptions(argv: readonly string[]): BenchOptions | 'help' {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      help: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      json: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      threads: { type: 'string', default: '2' },
      isa: { type: 'string', default: 'auto' },
      'up-flags': { type: 'string', default: '' },
      'cache-dir': { type: 'string', default: defaultCacheDir() },
      plot: { type: 'string' },
    },
  });
  if (values.help) return 'help';
  const cacheDir = values['cache-dir'];
  const usual = MEASURES.filter((name) => !values.quick || !NOT_QUICK.includes(name));
  return {
    measures: new Set(values.only.length === 0 ? usual : values.only.map(measureName)),
    isQuick: values.quick,
    asJson: values.json,
    numRounds: count('--rounds', values.rounds ?? (values.quick ? '2' : '5')),
    numThreads: count('--threads', values.threads),
    isa: isaChoice(values.isa),
    cacheDir,
    plotFile: values.plot ?? join(cacheDir, 'layer-stages.svg'),
    upFlags: values['up-flags'].split(/\s+/).filter((flag) => flag !== ''),
  };
}

const defaultCacheDir = (): string =>
  join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'expertmesh-bench');

function measureName(text: string): MeasureName {
  const found = MEASURES.find((name) => name === text);
  if (found === undefined) throw new Error(`--only ${text}: it must be one of ${MEASURES.join(', ')}`);
  return found;
}

function isaChoice(text: string): IsaChoice {
  const found = ISA_CHOICES.find((name) => name === text);
  if (found === undefined) throw new Error(`--isa ${text}: it must be one of ${ISA_CHOICES.join(', ')}`);
  return found;
}

function count(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${flag} ${text}: it must be a whole number from 1`);
  return value;
}
