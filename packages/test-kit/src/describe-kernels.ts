import { type Kernels } from '@expertmesh/kernels/kernels';
import { describe, it } from 'vitest';

/**
 * A suite that needs the native kernels. Where they are not built it is skipped, and its name says why.
 *
 * @param kernels `loadKernels() ?? whyNoKernels()`
 */
export function describeKernels(
  name: string,
  kernels: Kernels | string | undefined,
  suite: (kernels: Kernels) => void,
): void {
  if (typeof kernels === 'object') {
    describe(name, () => {
      suite(kernels);
    });
    return;
  }
  describe.skip(`${name}: ${kernels ?? ''}`, () => {
    it('needs the native kernels', () => undefined);
  });
}
