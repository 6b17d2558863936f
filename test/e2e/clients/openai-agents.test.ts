import { DEMO_MODEL, Mesh } from '@expertmesh/test-kit/mesh';
import { Agent, Runner, tool } from '@openai/agents-core';
import { OpenAIProvider } from '@openai/agents-openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

describe('OpenAI Agents', () => {
  let mesh: Mesh;
  beforeAll(async () => {
    mesh = await Mesh.start(['--workers', '1']);
  });
  afterAll(() => mesh.up.stop('SIGINT'));

  it.each([
    { useResponses: false, name: 'chat completions' },
    { useResponses: true, name: 'responses' },
  ])('runs a tool that is strict by default, over $name', async ({ useResponses }) => {
    const parameters = z.object({ a: z.int().min(0).max(99), b: z.int().min(0).max(99) });
    const calls: unknown[] = [];
    const add = tool({
      name: 'add',
      description: 'Adds two numbers.',
      parameters,
      execute: (input) => {
        calls.push(input);
        return input.a + input.b;
      },
    });
    const agent = new Agent({
      name: 'Adder',
      instructions: 'You add numbers.',
      model: DEMO_MODEL,
      tools: [add],
      modelSettings: { toolChoice: 'required', temperature: 0, maxTokens: 400 },
    });
    const modelProvider = new OpenAIProvider({ apiKey: 'none', baseURL: `${mesh.url}/v1`, useResponses });
    const runner = new Runner({ modelProvider, tracingDisabled: true });
    const result = await runner.run(agent, 'What is 47 + 85?');
    expect(calls.length).toBeGreaterThan(0);
    expect(calls.every((input) => parameters.safeParse(input).success)).toBe(true);
    expect(typeof result.finalOutput).toBe('string');
  });
});
