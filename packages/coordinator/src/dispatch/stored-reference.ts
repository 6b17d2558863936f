import { type ComputeBackend } from '@expertmesh/compute/compute-backend';
import { type ExpertStore } from '@expertmesh/shared/expert-store/expert-store';
import { shardBlobPaths } from '@expertmesh/shared/expert-store/shard-blobs';
import { BlobVerification, type VerifyOptions } from '@expertmesh/shared/expert-store/verification/blob-verification';
import { readWireRow } from '@expertmesh/shared/rpc/wire-rows';
import { type StoredReference } from './canary-references.js';
import { LocalExperts } from './local-experts.js';
import { probeCall } from './replica-probes.js';

/**
 * Computes the canary row here, with one expert's verified blob. It is read for that alone, so this is for the seldom
 * case that two answers contradict each other. Errors as LocalExperts.load.
 */
export function storedReference(store: ExpertStore, backend: ComputeBackend, verify: VerifyOptions): StoredReference {
  return async (layerIndex, expertId) => {
    const shard = { layerIndex, expertIds: [expertId] };
    const verification = new BlobVerification(store, shardBlobPaths(shard), verify);
    try {
      const experts = await LocalExperts.load(store, backend, [shard], () => undefined, verification);
      try {
        return await canaryRow(experts, layerIndex, expertId, store.spec.hiddenSize);
      } finally {
        await experts.close();
      }
    } finally {
      await verification.end();
    }
  };
}

async function canaryRow(
  experts: LocalExperts,
  layerIndex: number,
  expertId: number,
  hiddenSize: number,
): Promise<Float32Array> {
  const { rows, routingWeights } = probeCall(layerIndex, [expertId], hiddenSize);
  const answer = await experts.call({
    layerIndex,
    placementVersion: 0,
    storeId: '',
    numRows: 1,
    hiddenSize,
    rowOffsets: Uint32Array.of(0, 1),
    expertIds: Uint32Array.of(expertId),
    routingWeights,
    rowDtype: 'fp32',
    rows,
  });
  const row = new Float32Array(hiddenSize);
  readWireRow(answer, 0, row);
  return row;
}
