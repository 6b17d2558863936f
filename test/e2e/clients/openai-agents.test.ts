import { MODEL_ID, startScriptedApi } from '@expertmesh/test-kit/http-api';
import { Agent, Runner, tool } from '@openai/agents-core';
import { OpenAIProvider } from '@openai/agents-openai';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

describe('OpenAI Agents', () => {
  it.each([
    { useResponses: false, name: 'chat completions' },
    { useResponses: true, name: 'responses' },
  ])('runs a tool that is strict by default, over $name', async ({ useResponses }) => {
    const api = await startScriptedApi();
    await api.answerWith('<tool_call>\n{"name": "add", "arguments": {"a": 47, "b": 85}}\n</tool_call>');
    const add = tool({
      name: 'add',
      description: 'Adds two numbers.',
      parameters: z.object({ a: z.int(), b: z.int() }),
      execute: async ({ a, b }) => {
        await api.answerWith(`It is ${String(a + b)}.`);
        return a + b;
      },
    });
    const agent = new Agent({
      name: 'Adder',
      instructions: 'You add numbers.',
      model: MODEL_ID,
      tools: [add],
      modelSettings: { toolChoice: 'required' },
    });
    const modelProvider = new OpenAIProvider({ apiKey: 'none', baseURL: `${api.url}/v1`, useResponses });
    const runner = new Runner({ modelProvider, tracingDisabled: true });
    const result = await runner.run(agent, 'What is 47 + 85?');
    expect(result.finalOutput).toBe('It is 132.');
    expect(api.engine.requests[0]?.constraint).toMatchObject({ kind: 'tool_calls', tools: [{ strict: true }] });
    await api.close();
  });
});
