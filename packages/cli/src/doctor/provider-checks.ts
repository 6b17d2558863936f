import { type GraphProbe } from '@expertmesh/compute/provider/expert-probe';
import { gpuBudget } from '@expertmesh/compute/provider/gpu-memory';
import { isGpu, remedyFor } from '@expertmesh/compute/provider/gpu-provider';
import { listProviders, probeProviders, type ProviderProbe } from '@expertmesh/compute/provider/provider-probe';
import { type Provider } from '@expertmesh/shared/config/execution-provider';
import { type Quantisation } from '@expertmesh/shared/expert-store/quantisation';
import { PRESET_CONFIGS } from '@expertmesh/shared/expert-store/synth/presets';
import { parseModelSpec } from '@expertmesh/shared/model/model-spec';
import { broken, note, ok, type Check } from './check.js';

const TIMEOUT_MS = 30_000;
const QUANTISATIONS: readonly Quantisation[] = [{ bits: 32 }, { bits: 4, blockSize: 32 }];

/** What was found of a provider, by bits of the weights. */
export interface ProviderCheck extends Check {
  readonly probes: Readonly<Record<string, ProviderProbe>>;
}

/**
 * Has every provider compute tiny graphs of experts and of the dense part, and compares with the CPU. Only the CPU's is
 * needed.
 */
export async function providerChecks(numThreads: number): Promise<Check[]> {
  const listed = await listProviders(TIMEOUT_MS);
  if (listed.type === 'failed')
    return [broken('ONNX Runtime', `cannot be loaded (${listed.reason}): run npm ci again on this machine`)];
  const providers: Provider[] = ['native', ...listed.providers];
  const options = { numThreads, timeoutMs: TIMEOUT_MS, withDense: true };
  const probes: { bits: number; byProvider: ReadonlyMap<Provider, ProviderProbe> }[] = [];
  // One after the other: together they would take each other's cores, and their times would say little.
  for (const quantisation of QUANTISATIONS) {
    const geometry = { spec: parseModelSpec(PRESET_CONFIGS.demo), quantisation };
    probes.push({ bits: quantisation.bits, byProvider: await probeProviders(providers, geometry, options) });
  }
  const checks = providers.map((provider) =>
    providerCheck(
      provider,
      Object.fromEntries(
        probes.map(({ bits, byProvider }) => [String(bits), byProvider.get(provider) ?? NOT_TRIED] as const),
      ),
    ),
  );
  return [...checks, ...(await gpuMemoryCheck())];
}

const NOT_TRIED: ProviderProbe = { type: 'failed', reason: 'it was not tried' };

/** @param probes by bits of the weights */
export function providerCheck(provider: Provider, probes: Readonly<Record<string, ProviderProbe>>): ProviderCheck {
  const name = `provider ${provider}`;
  const failed = Object.entries(probes).find(([, probe]) => probe.type === 'failed');
  if (failed === undefined) {
    const parts = Object.entries(probes).map(([bits, probe]) => `${bits} bits: ${describe(probe)}`);
    return { ...ok(name, parts.join('; ')), probes };
  }
  const [bits, probe] = failed;
  const reason = `with ${bits} bits: ${describe(probe)}`;
  if (provider === 'cpu') return { ...broken(name, reason), probes };
  return { ...note(name, `not usable here, ${reason}; ${remedy(provider)}`), probes };
}

const remedy = (provider: Provider): string =>
  isGpu(provider) ? remedyFor(provider) : 'everything works without it, more slowly';

function describe(probe: ProviderProbe): string {
  if (probe.type === 'failed') return probe.reason;
  const { experts, dense } = probe;
  return [graphText('experts', experts), ...(dense === undefined ? [] : [graphText('dense', dense)])].join(', ');
}

const graphText = (name: string, { ms, error }: GraphProbe): string =>
  `${name} ${ms.toFixed(2)} ms${error === 0 ? '' : ` (off by ${error.toExponential(0)})`}`;

async function gpuMemoryCheck(): Promise<Check[]> {
  const { bytes, source } = await gpuBudget(undefined);
  return bytes === undefined ? [] : [ok('GPU memory', source)];
}
