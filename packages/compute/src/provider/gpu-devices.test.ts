import { describe, expect, it } from 'vitest';
import { mayHaveGpu } from './gpu-devices.js';

const files =
  (tree: Readonly<Record<string, readonly string[]>>) =>
  (dir: string): readonly string[] =>
    tree[dir] ?? [];

describe('mayHaveGpu', () => {
  it.each([
    ['an NVIDIA driver', { '/dev': ['null', 'nvidia0', 'nvidiactl'] }, true],
    ['any other driver', { '/dev': ['dri'], '/dev/dri': ['card0', 'renderD128'] }, true],
    ['a virtual machine of Windows', { '/dev': ['dxg'] }, true],
    ['a display without a GPU', { '/dev': ['dri'], '/dev/dri': ['card0'] }, false],
    ['an NVIDIA driver without a GPU', { '/dev': ['nvidiactl', 'nvidia-uvm'] }, false],
    ['nothing', {}, false],
  ])('looks for device files on Linux: %s', (_, tree, expected) => {
    expect(mayHaveGpu('linux', files(tree))).toBe(expected);
  });

  it('leaves it to a trial on other systems', () => {
    expect(mayHaveGpu('darwin', files({}))).toBe(true);
    expect(mayHaveGpu('win32', files({}))).toBe(true);
    expect(mayHaveGpu('freebsd', files({}))).toBe(false);
  });
});
