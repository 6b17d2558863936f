import { describe, expect, it } from 'vitest';
import { qwen3Template } from '@expertmesh/test-kit/chat-templates';
import { ChatTemplate, loadChatTemplate, readChatTemplate, type TemplateInput } from '../chat-template.js';
import { isReadTemplate, isSmallInput } from './quick-render.js';

const messages = (num: number, content = 'x'): TemplateInput => ({
  messages: Array.from({ length: num }, () => ({ role: 'user', content })),
  addGenerationPrompt: true,
});

describe('templates that have been read', () => {
  it("are Qwen3's and the demo model's, to the letter", async () => {
    const demo = await readChatTemplate('models/qwen3-moe-demo', {});
    expect(isReadTemplate(qwen3Template())).toBe(true);
    expect(isReadTemplate(demo?.text ?? '')).toBe(true);
    expect(isReadTemplate(`${qwen3Template()} `)).toBe(false);
  });
});

describe('an input', () => {
  it.each<[string, boolean, TemplateInput]>([
    ['a question', true, messages(1)],
    ['a long conversation', false, messages(2_000)],
    ['a long message', false, messages(1, 'x'.repeat(40_000))],
    ['many tools', false, { ...messages(1), tools: Array.from({ length: 2_000 }, () => ({})) }],
    ['long names', false, { ...messages(1), tools: [{ ['x'.repeat(40_000)]: 1 }] }],
    ['variables of a million values', false, { ...messages(1), templateVariables: { a: new Array(1e6).fill(1) } }],
  ])('is small or not: %s', (_, isSmall, input) => {
    expect(isSmallInput(input)).toBe(isSmall);
  });

  it('that is as large as a small one may be takes a template that has been read milliseconds', async () => {
    const input = messages(50, 'x</think>');
    expect(isSmallInput(input)).toBe(true);
    for (const template of [
      new ChatTemplate(qwen3Template(), {}),
      await loadChatTemplate('models/qwen3-moe-demo', {}),
    ]) {
      const timesMs = Array.from({ length: 20 }, () => {
        const startMs = performance.now();
        template?.render(input);
        return performance.now() - startMs;
      });
      expect(Math.min(...timesMs)).toBeLessThan(20);
    }
  });
});
