import { DEMO_MODEL, Mesh } from '@expertmesh/test-kit/mesh';
import { MODEL_ID, startScriptedApi } from '@expertmesh/test-kit/http-api';
import { ChatOpenAI } from '@langchain/openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

describe('LangChain', () => {
  let mesh: Mesh;
  beforeAll(async () => {
    mesh = await Mesh.start(['--workers', '1']);
  });
  afterAll(() => mesh.up.stop('SIGINT'));

  const chat = () =>
    new ChatOpenAI({
      model: DEMO_MODEL,
      apiKey: 'none',
      temperature: 0,
      maxRetries: 0,
      configuration: { baseURL: `${mesh.url}/v1` },
    });

  const schema = z.object({ answer: z.int().min(0).max(999), unit: z.enum(['apples', 'pears']) });

  it.each(['functionCalling', 'jsonSchema'] as const)('has structured output by %s', async (method) => {
    const output: unknown = await chat().withStructuredOutput(schema, { method }).invoke('What is 47 + 85?');
    expect(schema.safeParse(output).success).toBe(true);
  });

  it('has structured output by jsonMode', async () => {
    const api = await startScriptedApi();
    await api.answerWith('{"answer": 132, "unit": "apples"}');
    const client = new ChatOpenAI({ model: MODEL_ID, apiKey: 'none', configuration: { baseURL: `${api.url}/v1` } });
    const output: unknown = await client.withStructuredOutput(schema, { method: 'jsonMode' }).invoke('JSON, please.');
    expect(output).toEqual({ answer: 132, unit: 'apples' });
    expect(api.engine.requests.at(-1)?.constraint).toEqual({ kind: 'json_object' });
    await api.close();
  });

  it('takes a second turn with the message object of the first', async () => {
    const question = { role: 'user', content: 'What is 47 + 85?' } as const;
    const first = await chat().invoke([question]);
    expect(first.content).toBe('132');
    const second = await chat().invoke([question, first, { role: 'user', content: 'What is 2 + 3?' }]);
    expect(second.content).toBe('5');
  });
});
