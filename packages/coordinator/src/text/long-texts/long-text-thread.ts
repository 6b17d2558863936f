import { serveThread } from '@expertmesh/shared/threads/serve-thread';
import { loadTokenizer } from '../tokenizer.js';
import { type LongTextContract } from './long-text-contract.js';

serveThread<LongTextContract>(async ({ modelDir }) => {
  const tokenizer = await loadTokenizer(modelDir);
  return {
    ready: true,
    requests: { encode: async (text) => Int32Array.from(await tokenizer.encode(text)) },
    messages: {},
  };
});
