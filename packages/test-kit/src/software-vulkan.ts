import { existsSync } from 'node:fs';

/** Of SwiftShader, which Debian's package chromium brings along. */
const DRIVER = '/usr/lib/chromium/vk_swiftshader_icd.json';
const LOADER = ['/usr/lib/x86_64-linux-gnu/libvulkan.so.1', '/usr/lib/aarch64-linux-gnu/libvulkan.so.1'];

/** Whether this machine has a Vulkan driver that needs no GPU: WebGPU is tested with it. */
export const hasSoftwareVulkan = existsSync(DRIVER) && LOADER.some((path) => existsSync(path));

/** Environment in which WebGPU finds that driver, and no other. */
export const SOFTWARE_VULKAN = { VK_DRIVER_FILES: DRIVER, VK_ICD_FILENAMES: DRIVER } as const;

/** Environment in which WebGPU finds no driver. */
export const NO_VULKAN = { VK_DRIVER_FILES: '/dev/null', VK_ICD_FILENAMES: '/dev/null' } as const;

/** For this process and those that it starts. To be called before ONNX Runtime is used, and in the main thread. */
export function useSoftwareVulkan(): void {
  Object.assign(process.env, SOFTWARE_VULKAN);
}
