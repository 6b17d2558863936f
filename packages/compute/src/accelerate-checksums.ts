import { loadKernels } from '@expertmesh/kernels/kernels';
import { useNativeCrc32c } from '@expertmesh/shared/rpc/crc32c';

/** To be called in a thread that sends or takes rows, whatever computes in it: without kernels, nothing changes. */
export function accelerateChecksums(): void {
  const kernels = loadKernels();
  if (kernels !== undefined) useNativeCrc32c((bytes) => kernels.crc32c(bytes));
}
