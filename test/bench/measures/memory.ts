import { type BenchContext, type BenchStore } from '../harness/bench-context.js';
import { type OwnCluster } from '../harness/own-cluster.js';

/**
 * Resident memory of a cluster's processes, after use: bytes of the largest worker, of its experts, and of the
 * coordinator.
 */
export function measureMemory(
  { samples, reasons }: BenchContext,
  cluster: OwnCluster,
  { bytes }: BenchStore,
  round: number,
): void {
  const processes = cluster.memory();
  const workers = processes.filter(({ role }) => role === 'worker').map(({ residentBytes }) => residentBytes);
  const coordinator = processes.find(({ role }) => role === 'coordinator');
  if (coordinator !== undefined)
    samples.add(`${cluster.name}.coordinatorMemory`, round, coordinator.residentBytes / 1e9);
  if (workers.length === 0) {
    reasons.set(`${cluster.name}.workerMemory`, 'there is no worker process: the coordinator computes the experts');
    return;
  }
  samples.add(`${cluster.name}.workerMemory`, round, Math.max(...workers) / 1e9);
  samples.add(`${cluster.name}.workerPacked`, round, bytes.experts / workers.length / 1e9);
}
