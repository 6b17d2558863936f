import { readdirSync } from 'node:fs';

/**
 * Whether this machine may have a GPU that programs can use. On Linux its driver shows as a device file, and looking
 * for it costs nothing; elsewhere only trying tells.
 */
export function mayHaveGpu(platform: NodeJS.Platform = process.platform, list: ListDir = listDir): boolean {
  if (platform !== 'linux') return platform === 'darwin' || platform === 'win32';
  const devices = list('/dev');
  return (
    devices.some((name) => /^nvidia\d+$/.test(name) || name === 'dxg') ||
    list('/dev/dri').some((name) => name.startsWith('renderD'))
  );
}

type ListDir = (dir: string) => readonly string[];

function listDir(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}
