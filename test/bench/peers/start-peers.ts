import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type BenchContext } from '../harness/bench-context.js';
import { GEOMETRY_30B } from '../harness/dummy-store.js';
import { type Samples } from '../harness/samples.js';
import { INSTALL_COMMANDS, PEERS } from './installed-peers.js';
import { type PeerOptions, type PeerProcess } from './peer-process.js';
import { writeQwen3MoeGguf } from './qwen3-moe-gguf.js';

/** Every peer that is installed, with the same geometry and as many threads; what is not is said, with the reason. */
export async function startPeers(
  { options, reasons, say }: BenchContext,
  size: Pick<PeerOptions, 'maxSequences' | 'contextSize'>,
): Promise<readonly PeerProcess[]> {
  const installed = PEERS.filter((peer) => peer.version() !== undefined);
  const missing = PEERS.filter((peer) => !installed.includes(peer)).map(({ title }) => title);
  if (missing.length > 0) say(`not measured, as not installed: ${missing.join('; ')}; to install: ${INSTALL_COMMANDS}`);
  if (installed.length === 0) reasons.set('peer', `no peer is installed: ${INSTALL_COMMANDS}`);
  const { preset, numLayers } = GEOMETRY_30B;
  const ggufFile = join(options.cacheDir, `${preset}-${String(numLayers)}-layers-q4_0.gguf`);
  if (installed.length > 0 && !existsSync(ggufFile)) {
    say(`writing ${ggufFile}`);
    writeQwen3MoeGguf(ggufFile, preset, numLayers);
  }
  const started: PeerProcess[] = [];
  try {
    for (const peer of installed) {
      say(`starting ${peer.title}`);
      started.push(await peer.start({ ggufFile, numThreads: options.numThreads, ...size }));
    }
    return started;
  } catch (error) {
    await stopPeers(started);
    throw error;
  }
}

/** The best peer in each measure and round is called `peer`: who compares looks at that one. */
export function addBestPeer(samples: Samples, prefix: string, peers: readonly PeerProcess[]): void {
  const names = peers.map(({ name }) => prefix + name);
  samples.addBest(`${prefix}peer`, names, (measure) => /memory|firstToken/.test(measure));
}

export async function stopPeers(peers: readonly PeerProcess[]): Promise<void> {
  for (const peer of peers) await peer.stop();
}
