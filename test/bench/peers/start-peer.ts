import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type BenchContext } from '../harness/bench-context.js';
import { GEOMETRY_30B } from '../harness/dummy-store.js';
import { type Subject } from '../harness/subject.js';
import { INSTALL_COMMAND, LlamaCppPeer, llamaCppVersion, type LlamaCppOptions } from './llama-cpp-peer.js';
import { writeQwen3MoeGguf } from './qwen3-moe-gguf.js';

export interface StartedPeer {
  readonly subject: Subject;
  readonly pid: number;
  stop(): Promise<void>;
}

/** llama.cpp with the same geometry and as many threads; undefined, with the reason, where it is not installed. */
export async function startPeer(
  { options, reasons, say }: BenchContext,
  size: Pick<LlamaCppOptions, 'maxSequences' | 'contextSize'>,
): Promise<StartedPeer | undefined> {
  if (llamaCppVersion() === undefined) {
    reasons.set('peer', `llama.cpp is not installed: ${INSTALL_COMMAND}`);
    say(`llama.cpp is not measured, as it is not installed; to install it: ${INSTALL_COMMAND}`);
    return undefined;
  }
  const { preset, numLayers } = GEOMETRY_30B;
  const ggufFile = join(options.cacheDir, `${preset}-${String(numLayers)}-layers-q4_0.gguf`);
  if (!existsSync(ggufFile)) {
    say(`writing ${ggufFile}`);
    writeQwen3MoeGguf(ggufFile, preset, numLayers);
  }
  say('starting llama.cpp');
  const peer = await LlamaCppPeer.start({
    ggufFile,
    numThreads: options.numThreads,
    ...size,
  });
  return {
    subject: { name: 'peer', generate: (batch, numTokens) => peer.generate({ prompts: batch, numTokens }) },
    pid: peer.pid,
    stop: () => peer.stop(),
  };
}
