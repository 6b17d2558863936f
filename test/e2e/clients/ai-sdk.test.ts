import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { startScriptedApi } from '@expertmesh/test-kit/http-api';
import { DEMO_MODEL, Mesh } from '@expertmesh/test-kit/mesh';
import { generateObject, generateText, stepCountIs, streamText, tool } from 'ai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

describe('the Vercel AI SDK', () => {
  let mesh: Mesh;
  beforeAll(async () => {
    mesh = await Mesh.start(['--workers', '1']);
  });
  afterAll(() => mesh.up.stop('SIGINT'));

  const model = () =>
    createOpenAICompatible({
      name: 'expertmesh',
      baseURL: `${mesh.url}/v1`,
      supportsStructuredOutputs: true,
      includeUsage: true,
    })(DEMO_MODEL);

  it('generates text, with thinking apart from it', async () => {
    const { text, reasoningText, usage, finishReason } = await generateText({
      model: model(),
      prompt: 'What is 47 + 85?',
      temperature: 0,
    });
    expect({ text, finishReason }).toEqual({ text: '132', finishReason: 'stop' });
    expect(reasoningText).toContain('7+5');
    expect(usage.outputTokens).toBeGreaterThan(3);
  });

  it('streams text that is the same', async () => {
    const result = streamText({ model: model(), prompt: 'What is 47 + 85?', temperature: 0 });
    let text = '';
    for await (const piece of result.textStream) text += piece;
    expect(text).toBe('132');
    expect((await result.usage).inputTokens).toBeGreaterThan(5);
  });

  it('generates an object that matches its schema', async () => {
    const schema = z.object({
      answer: z.int().min(0).max(999),
      words: z.array(z.string().max(12)).max(3),
      kind: z.enum(['sum', 'product']),
    });
    // Deprecated, and what most programs call.
    // eslint-disable-next-line @typescript-eslint/no-deprecated
    const { object } = await generateObject({ model: model(), schema, prompt: 'What is 47 + 85?', temperature: 0 });
    expect(schema.safeParse(object).success).toBe(true);
  });

  it('calls a tool that is required, and goes on with its result', async () => {
    const api = await startScriptedApi();
    await api.answerWith('<tool_call>\n{"name": "add", "arguments": {"a": 47, "b": 85}}\n</tool_call>');
    const add = tool({
      description: 'Adds two numbers.',
      inputSchema: z.object({ a: z.int(), b: z.int() }),
      execute: async ({ a, b }) => {
        await api.answerWith('132');
        return a + b;
      },
    });
    const provider = createOpenAICompatible({ name: 'expertmesh', baseURL: `${api.url}/v1` });
    const { text, steps } = await generateText({
      model: provider(DEMO_MODEL),
      prompt: 'What is 47 + 85?',
      tools: { add },
      prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber === 0 ? 'required' : 'auto' }),
      stopWhen: stepCountIs(2),
    });
    expect(text).toBe('132');
    expect(steps.map(({ finishReason }) => finishReason)).toEqual(['tool-calls', 'stop']);
    expect(steps[0]?.toolResults.map(({ output }) => output)).toEqual([132]);
    expect(api.engine.requests[0]?.constraint).toMatchObject({ kind: 'tool_calls', mode: 'required' });
    await api.close();
  });
});
