import { readFileSync } from 'node:fs';
import { CompletionClient } from 'expertmesh/bench/completion-client';
import { descendantsOf } from '@expertmesh/test-kit/child-pids';
import { pause } from '@expertmesh/test-kit/process';
import { Mesh } from '@expertmesh/test-kit/mesh';
import { readBenchStats, type BenchStats } from './bench-stats.js';
import { BENCH_MODEL, completeTogether } from './complete-together.js';
import { processorSecondsOf } from './processor-time.js';
import { type Subject } from './subject.js';

const READY_TIMEOUT_MS = 600_000;
/** The coordinator's counters are as of at most 100 ms ago: what was counted before has to be in them. */
const STATS_AGE_MS = 150;

export interface OwnClusterOptions {
  readonly name: string;
  readonly storeDir: string;
  /** Flags of `expertmesh up`. */
  readonly flags: readonly string[];
}

export interface ProcessMemory {
  readonly role: 'worker' | 'coordinator';
  readonly residentBytes: number;
  readonly anonymousBytes: number;
}

/** A running `expertmesh up`, measured through its API as a user would. */
export class OwnCluster implements Subject {
  readonly name: string;
  /** From the start of the command until it was ready. */
  readonly readySeconds: number;
  readonly client: CompletionClient;
  readonly #mesh: Mesh;

  private constructor(name: string, mesh: Mesh, readySeconds: number) {
    this.name = name;
    this.readySeconds = readySeconds;
    this.client = new CompletionClient(mesh.url);
    this.#mesh = mesh;
  }

  static async start({ name, storeDir, flags }: OwnClusterOptions): Promise<OwnCluster> {
    const startMs = performance.now();
    const mesh = await Mesh.start(
      ['--model', storeDir, '--served-model-name', BENCH_MODEL, ...flags],
      READY_TIMEOUT_MS,
    );
    return new OwnCluster(name, mesh, (performance.now() - startMs) / 1000);
  }

  get url(): string {
    return this.#mesh.url;
  }

  generate(prompts: readonly (readonly number[])[], numTokens: number): Promise<number[][]> {
    return completeTogether(this.client, prompts, numTokens);
  }

  async stats(): Promise<BenchStats> {
    await pause(STATS_AGE_MS);
    return readBenchStats(await (await fetch(`${this.#mesh.url}/admin/v1/stats`)).json());
  }

  processorSeconds(): number {
    const pids = descendantsOf(this.#mesh.up.pid).map(({ pid }) => pid);
    return pids.reduce((sum, pid) => sum + processorSecondsOf(pid), 0);
  }

  memory(): ProcessMemory[] {
    return descendantsOf(this.#mesh.up.pid).flatMap(({ pid, command }) => {
      const role = /main\.js (worker|coordinator)/.exec(command)?.[1];
      return role === 'worker' || role === 'coordinator' ? [{ role, ...memoryOf(pid) }] : [];
    });
  }

  async stop(): Promise<void> {
    await this.#mesh.up.stop();
  }
}

export function memoryOf(pid: number): { residentBytes: number; anonymousBytes: number } {
  const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
  const bytes = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1]) * 1024;
  return { residentBytes: bytes('VmRSS'), anonymousBytes: bytes('RssAnon') };
}
