import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { broken, note, ok, type Check } from './check.js';

const PROBE = fileURLToPath(new URL('./provider-probe.js', import.meta.url));
const PROBE_TIMEOUT_MS = 20_000;

/** Tries every execution provider of ONNX Runtime with a tiny graph. Only the CPU's is needed. */
export async function providerChecks(): Promise<Check[]> {
  const { providers, reason } = await runProbe([]);
  if (!providers.includes('cpu'))
    return [broken('ONNX Runtime', `cannot be loaded (${reason}): run npm ci again on this machine`)];
  return Promise.all(providers.map(providerCheck));
}

async function providerCheck(provider: string): Promise<Check> {
  const name = `provider ${provider}`;
  const { providers, reason } = await runProbe([provider]);
  if (providers.length > 0) return ok(name, 'works');
  return provider === 'cpu' ? broken(name, reason) : note(name, `not usable here: ${reason}`);
}

/** What provider-probe.ts sends. */
interface ProbeResult {
  /** Those that there are, or the one that was tried and works. */
  readonly providers: readonly string[];
  /** Why there are none. */
  readonly reason: string;
}

async function runProbe(argv: readonly string[]): Promise<ProbeResult> {
  const child = fork(PROBE, argv, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], timeout: PROBE_TIMEOUT_MS });
  return new Promise((resolve) => {
    child.on('message', (message) => {
      // Both ends are this package's own.
      const { providers, reason } = message as ProbeResult;
      resolve({ providers, reason: shorten(reason) });
    });
    child.on('exit', (code, signal) => {
      resolve({ providers: [], reason: `its process ended with ${signal ?? `exit code ${String(code)}`}` });
    });
    child.on('error', (error) => {
      resolve({ providers: [], reason: error.message });
    });
  });
}

// ONNX Runtime's messages start with the place in its source and the failed condition.
function shorten(reason: string): string {
  const sentence =
    reason
      .trim()
      .split(/ was false\. |: (?=[A-Z][^:]*$)/)
      .at(-1) ?? reason;
  return sentence.length > 120 ? `${sentence.slice(0, 117)}...` : sentence;
}
