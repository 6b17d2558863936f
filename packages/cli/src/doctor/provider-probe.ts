import { createOnnxSession, executionProviders } from '@expertmesh/shared/onnx/session';
import { GraphBuilder } from '@expertmesh/shared/onnx/graph-builder';

// A process of its own, forked by provider-checks.ts: a provider without its driver prints native errors, and a broken
// driver can take the process down. Without an argument it lists the providers, with one it tries that provider.

/** Adds [1, 2] to itself. */
async function probe(executionProvider: string): Promise<void> {
  const graph = new GraphBuilder('probe');
  const x = graph.input('x', 'float32', [2]);
  graph.output('sum', 'float32', [2], graph.op('Add', [x, x]));
  const session = await createOnnxSession(graph.build(), { numThreads: 1, executionProvider });
  const outputs = await session.run({ x: { type: 'float32', dims: [2], data: Float32Array.of(1, 2) } });
  const [first, second] = outputs.float32('sum');
  if (first !== 2 || second !== 4) throw new Error(`1 + 1 and 2 + 2 are ${String(first)} and ${String(second)} there`);
}

const provider = process.argv[2];
try {
  if (provider !== undefined) await probe(provider);
  process.send?.({ providers: provider === undefined ? executionProviders() : [provider], reason: '' });
} catch (error) {
  process.send?.({ providers: [], reason: error instanceof Error ? error.message : String(error) });
}
process.disconnect();
