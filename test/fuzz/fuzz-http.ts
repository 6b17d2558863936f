import { fuzzHttp } from '@expertmesh/test-kit/fuzz-http';
import { startScriptedApi } from '@expertmesh/test-kit/http-api';

/**
 * Sends fuzzed bodies to the API with a scripted engine: `npx tsx test/fuzz/fuzz-http.ts [count] [seed]`. Fails when
 * one is answered with a bug, or not at all.
 */
const [count = '10000', seed = '1'] = process.argv.slice(2);
const api = await startScriptedApi();
await api.answerWith('{"a": 1}');
const startMs = performance.now();
const { numByStatus, failures } = await fuzzHttp(api.url, Number(seed), Number(count));
const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
await api.close();
process.stdout.write(`${count} requests in ${seconds} s, by status: ${JSON.stringify(numByStatus)}\n`);
for (const { request, answer } of failures.slice(0, 20))
  process.stderr.write(`${request.path} ${request.body}\n  ${answer}\n`);
process.stdout.write(
  `${String(failures.length)} failures, ${String(api.engine.numOpenSequences)} sequences left open\n`,
);
process.exitCode = failures.length === 0 && api.engine.numOpenSequences === 0 ? 0 : 1;
