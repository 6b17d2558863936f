import { fuzzHttp } from '@expertmesh/test-kit/fuzz-http';
import { type ScriptedApi, startScriptedApi } from '@expertmesh/test-kit/http-api';
import { afterAll, beforeAll, expect, it } from 'vitest';

let api: ScriptedApi;
beforeAll(async () => {
  api = await startScriptedApi();
  await api.answerWith('{"a": 1}');
});
afterAll(() => api.close());

// test/fuzz/fuzz-http.ts sends more of them.
it('answers 500 fuzzed bodies without a bug and without a hang, some of them with 200', async () => {
  const { numByStatus, failures } = await fuzzHttp(api.url, 1, 500);
  expect(failures).toEqual([]);
  expect(numByStatus[200]).toBeGreaterThan(20);
  expect(numByStatus[400]).toBeGreaterThan(200);
  await expect.poll(() => api.engine.numOpenSequences).toBe(0);
});
