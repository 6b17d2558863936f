/**
 * llama.cpp in a process of its own, through node-llama-cpp. Forked by installed-peers.ts; answers one order at a time
 * over IPC.
 */
import { type PeerAnswer, type PeerOptions, type PeerOrder } from './peer-process.js';

/**
 * As much of node-llama-cpp as is used here. It is not a dependency of the workspace, so its own types may be absent.
 */
interface LlamaModule {
  readonly getLlama: (options: object) => Promise<{ loadModel(options: object): Promise<LlamaModel> }>;
}
interface LlamaModel {
  createContext(options: object): Promise<LlamaContext>;
}
interface LlamaContext {
  getSequence(): LlamaSequence;
}
interface LlamaSequence {
  clearHistory(): Promise<void>;
  evaluate(tokens: readonly number[], options: object): AsyncGenerator<number, void, void>;
}

const { ggufFile, numThreads, maxSequences, contextSize } = JSON.parse(process.argv[2] ?? '') as PeerOptions;
// The compiler looks up literals only.
const moduleName = ['node', 'llama', 'cpp'].join('-');
const { getLlama } = (await import(moduleName)) as LlamaModule;
// Nothing is built and nothing is fetched: the CPU library that came with the package, or an error.
const llama = await getLlama({
  gpu: false,
  build: 'never',
  skipDownload: true,
  maxThreads: numThreads,
  logLevel: 'error',
});
const model = await llama.loadModel({ modelPath: ggufFile, gpuLayers: 0 });
// contextSize is of each sequence.
const context = await model.createContext({
  sequences: maxSequences,
  contextSize,
  batchSize: 512,
  threads: { ideal: numThreads, min: numThreads },
});
const sequences = Array.from({ length: maxSequences }, () => context.getSequence());

process.on('message', (order: PeerOrder) => {
  void generate(order).then(
    (timesMs) => answer({ kind: 'generated', timesMs }),
    (error: unknown) => answer({ kind: 'failed', message: String(error) }),
  );
});
process.on('disconnect', () => process.exit());
answer({ kind: 'ready' });

/** Times of every token of every prompt's answer, in milliseconds since the order came. */
async function generate({ prompts, numTokens }: PeerOrder): Promise<number[][]> {
  for (const sequence of sequences) await sequence.clearHistory();
  const startMs = performance.now();
  return Promise.all(
    prompts.map(async (prompt, index) => {
      const timesMs: number[] = [];
      const tokens = sequences[index]?.evaluate(prompt, { temperature: 0, yieldEogToken: true });
      if (tokens === undefined) throw new Error(`only ${String(sequences.length)} sequences are open`);
      for await (const _ of tokens) {
        timesMs.push(performance.now() - startMs);
        if (timesMs.length === numTokens) break;
      }
      return timesMs;
    }),
  );
}

function answer(message: PeerAnswer): void {
  process.send?.(message);
}
