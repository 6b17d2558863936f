import { describe, expect, it } from 'vitest';
import { type ExecutionProvider, type Provider } from '@expertmesh/shared/config/execution-provider';
import { PRESET_CONFIGS } from '@expertmesh/shared/expert-store/synth/presets';
import { parseModelSpec } from '@expertmesh/shared/model/model-spec';
import { type Role } from '@expertmesh/shared/process/parent-link';
import { chooseProvider, type Machine, type ProviderChoice } from './choose-provider.js';
import { type ProviderProbe } from './provider-probe.js';

const geometry = { spec: parseModelSpec(PRESET_CONFIGS.demo), quantisation: { bits: 4, blockSize: 32 } } as const;

const needBytes = 7e8;

const takes = (ms: number): ProviderProbe => ({ type: 'works', experts: { error: 0, ms } });
const NO_DRIVER: ProviderProbe = { type: 'failed', reason: 'no driver' };

/** A machine on which providers that are not named have no driver. */
const machine = (probes: Partial<Record<Provider, ProviderProbe>>, hasKernels = true): Machine => ({
  mayHaveGpu: () => true,
  gpuBudget: () => Promise.resolve({ bytes: 1e9, source: 'test' }),
  whyNotNative: () => (hasKernels ? undefined : 'no kernels'),
  probe: (providers) => Promise.resolve(new Map(providers.map((name) => [name, probes[name] ?? NO_DRIVER]))),
});

const signal = new AbortController().signal;

const choose = (ep: ExecutionProvider, on: Machine, role: Role = 'coordinator'): Promise<ProviderChoice> =>
  chooseProvider({ ep, geometry, numThreads: 1, role, gpuMemoryBytes: undefined, needBytes, signal }, on);

describe('chooseProvider with auto', () => {
  it('takes native kernels where there is no GPU, and tries nothing', async () => {
    const probe = (): never => {
      throw new Error('tried');
    };
    const choice = await choose('auto', { ...machine({}), mayHaveGpu: () => false, probe });
    expect(choice).toEqual({
      provider: 'native',
      reason: 'there are native kernels for 4 bits; no GPU is here',
    });
  });

  it('takes ONNX Runtime where there are no kernels', async () => {
    const choice = await choose('auto', { ...machine({}, false), mayHaveGpu: () => false });
    expect(choice).toEqual({ provider: 'cpu', reason: 'no kernels; no GPU is here' });
  });

  it('takes a GPU that is faster, and says by how much', async () => {
    const choice = await choose('auto', machine({ native: takes(3), webgpu: takes(1.25) }));
    expect(choice.provider).toBe('webgpu');
    expect(choice.reason).toBe('experts for 8 tokens: native 3.0 ms, webgpu 1.3 ms');
  });

  it('takes no GPU that is slower, as a software driver is', async () => {
    const choice = await choose('auto', machine({ native: takes(3), webgpu: takes(80) }));
    expect(choice.provider).toBe('native');
  });

  it('takes no GPU that does not work, and says why not', async () => {
    const choice = await choose('auto', machine({ cpu: takes(3) }, false));
    expect(choice.provider).toBe('cpu');
    expect(choice.reason).toContain('webgpu does not work (no driver)');
  });

  it('takes no GPU whose memory is too small or not known, and tries none', async () => {
    const fast = machine({ native: takes(3), webgpu: takes(1) });
    const withBudget = (bytes: number | undefined): Machine => ({
      ...fast,
      gpuBudget: () => Promise.resolve({ bytes, source: 'test' }),
      probe: () => Promise.reject(new Error('tried')),
    });
    expect((await choose('auto', withBudget(6e8))).reason).toBe(
      'there are native kernels for 4 bits; the GPU cannot hold 700 MB of weights: test',
    );
    expect((await choose('auto', withBudget(undefined))).reason).toContain('no GPU is tried, its memory is test');
  });

  it('takes the CPU where nothing can be tried, and says why', async () => {
    const full = { ...machine({}), probe: () => Promise.reject(new Error('no space left on device')) };
    const choice = await choose('auto', full);
    expect(choice.provider).toBe('native');
    expect(choice.reason).toBe('there are native kernels for 4 bits; no GPU could be tried: no space left on device');
  });

  it('chooses nothing after an abort', async () => {
    const abort = new AbortController();
    const probe = (): Promise<never> => {
      abort.abort();
      return Promise.reject(new Error('interrupted'));
    };
    const request = {
      ep: 'auto',
      geometry,
      numThreads: 1,
      role: 'worker',
      gpuMemoryBytes: undefined,
      needBytes,
    } as const;
    await expect(chooseProvider({ ...request, signal: abort.signal }, { ...machine({}), probe })).rejects.toThrow(
      expect.objectContaining({ name: 'AbortError' }) as Error,
    );
  });

  it('takes for a coordinator no provider that cannot keep its KV cache', async () => {
    const probes = { native: takes(3), cuda: takes(0.1) };
    expect((await choose('auto', machine(probes))).provider).toBe('native');
  });
});

describe('chooseProvider with a named provider', () => {
  it('takes a GPU that works, however slow', async () => {
    expect((await choose('webgpu', machine({ webgpu: takes(1000) }))).provider).toBe('webgpu');
  });

  it('refuses a GPU that does not work, with the reason and what to do', async () => {
    await expect(choose('webgpu', machine({}))).rejects.toThrow(
      /--ep webgpu does not work here: no driver; install the driver .* or use --ep auto/,
    );
  });

  it('recommends others to a coordinator', async () => {
    const works = machine({ cuda: takes(1) });
    await expect(choose('cuda', works)).rejects.toThrow(
      /--ep cuda is for workers: no coordinator has been tried on it; use --ep webgpu, native or cpu there/,
    );
    expect((await choose('cuda', works, 'worker')).provider).toBe('cuda');
  });

  it('refuses a GPU that cannot hold what a coordinator needs; a worker looks at its assignment', async () => {
    const small = { bytes: 6e8, source: 'test' };
    const on = { ...machine({ webgpu: takes(1) }), gpuBudget: () => Promise.resolve(small) };
    await expect(choose('webgpu', on)).rejects.toThrow('its budget is 600 MB (test)');
    expect(await choose('webgpu', on, 'worker')).toMatchObject({ provider: 'webgpu', gpu: small });
  });

  it('refuses native kernels that cannot read the store', async () => {
    await expect(choose('native', machine({}, false))).rejects.toThrow('--ep native: no kernels; or use --ep cpu');
  });
});
