import { type Provider } from '@expertmesh/shared/config/execution-provider';
import { type Role } from '@expertmesh/shared/process/parent-link';

export type GpuProvider = Exclude<Provider, 'native' | 'cpu'>;

/**
 * What each role can use, best first. Workers keep nothing between calls, so any provider will do. A coordinator's KV
 * cache must stay in the GPU's memory, and only WebGPU offers tensors there.
 */
export const GPU_PROVIDERS: Readonly<Record<Role, readonly GpuProvider[]>> = {
  worker: ['webgpu', 'cuda', 'coreml', 'dml'],
  coordinator: ['webgpu'],
};

/** Where a provider exists at all. */
const PLATFORMS: Readonly<Record<GpuProvider, readonly NodeJS.Platform[]>> = {
  webgpu: ['linux', 'darwin', 'win32'],
  cuda: ['linux', 'win32'],
  coreml: ['darwin'],
  dml: ['win32'],
};

export function existsOn(provider: GpuProvider, platform = process.platform): boolean {
  return PLATFORMS[provider].includes(platform);
}

export function isGpu(provider: Provider): provider is GpuProvider {
  return provider !== 'native' && provider !== 'cpu';
}

/** What may help when a provider does not work. */
export function remedyFor(provider: GpuProvider): string {
  switch (provider) {
    case 'webgpu':
      return 'install the driver of the GPU with its Vulkan part (Linux), or an up-to-date driver (macOS, Windows)';
    case 'cuda':
      return (
        'install an NVIDIA driver, CUDA and cuDNN, and have the install script of onnxruntime-node fetch its part ' +
        'for CUDA (Linux x64)'
      );
    case 'coreml':
      return 'it exists on macOS only';
    case 'dml':
      return 'it exists on Windows only, with a DirectX 12 GPU';
  }
}
