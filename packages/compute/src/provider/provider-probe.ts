import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Provider } from '@expertmesh/shared/config/execution-provider';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type OnnxProvider } from '@expertmesh/shared/onnx/onnx-provider';
import { type StoredExperts } from '../experts/expert-runners.js';
import { type GraphProbe } from './expert-probe.js';
import { writeProbeModel, type ProbeGeometry } from './probe-model.js';

const PROCESS = fileURLToPath(new URL('./probe-process.js', import.meta.url));

/** What the probe process is asked for. */
export type ProbeTask =
  /** Which providers ONNX Runtime has here. */
  | { readonly type: 'list' }
  | {
      readonly type: 'probe';
      readonly model: StoredExperts;
      readonly provider: Provider;
      readonly numThreads: number;
      /** Whether the graphs of a coordinator are tried, too. Native kernels have none. */
      readonly withDense: boolean;
    };

/** What it answers. */
export type ProbeAnswer =
  | { readonly type: 'listed'; readonly providers: readonly OnnxProvider[] }
  | { readonly type: 'works'; readonly experts: GraphProbe; readonly dense?: GraphProbe }
  | { readonly type: 'failed'; readonly reason: string };

/** A provider that computed the probe's graphs as the CPU does, within rounding; or why it did not. */
export type ProviderProbe = Extract<ProbeAnswer, { type: 'works' | 'failed' }>;

export interface ProbeOptions {
  readonly numThreads: number;
  readonly timeoutMs: number;
  readonly withDense?: boolean;
  /** Ends the process under way. */
  readonly signal?: AbortSignal;
}

/**
 * Tries providers one after the other, each in a process of its own: a provider without its driver prints native
 * errors, and a broken driver can take the process down.
 *
 * @throws ExpertmeshError `failed_precondition` when the model to try them with cannot be written; the signal's reason
 * when it aborts.
 */
export async function probeProviders<P extends Provider>(
  providers: readonly P[],
  geometry: ProbeGeometry,
  { numThreads, timeoutMs, withDense = false, signal }: ProbeOptions,
): Promise<Map<P, ProviderProbe>> {
  signal?.throwIfAborted();
  const dir = written(() => mkdtempSync(join(tmpdir(), 'expertmesh-probe-')));
  try {
    const model = written(() => writeProbeModel(dir, geometry));
    const probes = new Map<P, ProviderProbe>();
    for (const provider of providers) {
      const answer = await ask({ type: 'probe', model, provider, numThreads, withDense }, timeoutMs, signal);
      probes.set(provider, answer.type === 'listed' ? { type: 'failed', reason: 'it answered wrongly' } : answer);
    }
    return probes;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The providers that ONNX Runtime was built with, of those that Expertmesh knows; or why it cannot be loaded. */
export async function listProviders(timeoutMs: number): Promise<Exclude<ProbeAnswer, { type: 'works' }>> {
  const answer = await ask({ type: 'list' }, timeoutMs);
  return answer.type === 'works' ? { type: 'failed', reason: 'it answered wrongly' } : answer;
}

function written<T>(write: () => T): T {
  try {
    return write();
  } catch (error) {
    throw new ExpertmeshError(
      'failed_precondition',
      `the model that providers are tried with cannot be written to ${tmpdir()} ` +
        `(${error instanceof Error ? error.message : String(error)}): ` +
        'free space there, or name another directory with the environment variable TMPDIR (TEMP on Windows)',
      { cause: error },
    );
  }
}

async function ask(task: ProbeTask, timeoutMs: number, signal?: AbortSignal): Promise<ProbeAnswer> {
  signal?.throwIfAborted();
  const child = fork(PROCESS, {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    timeout: timeoutMs,
    ...(signal === undefined ? {} : { signal }),
  });
  try {
    const answer = await new Promise<ProbeAnswer>((resolve) => {
      child.once('message', (message) => {
        // Both ends are this package's own.
        resolve(message as ProbeAnswer);
      });
      child.once('exit', (code, signal) => {
        const isLate = signal === 'SIGTERM';
        const end = isLate
          ? `it took longer than ${String(timeoutMs / 1000)} s`
          : `its process ended with ${signal ?? `exit code ${String(code)}`}`;
        resolve({ type: 'failed', reason: end });
      });
      child.once('error', (error) => {
        resolve({ type: 'failed', reason: error.message });
      });
      child.send(task, (error) => {
        if (error !== null) resolve({ type: 'failed', reason: error.message });
      });
    });
    signal?.throwIfAborted();
    return answer;
  } finally {
    // A driver may hang at the end, too.
    child.kill('SIGKILL');
  }
}
