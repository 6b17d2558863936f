import { describe, expect, it } from 'vitest';
import { ReasoningSplitter } from './reasoning-splitter.js';
import { ReasoningTokenCounter } from './reasoning-token-counter.js';
import { loadTokenizer } from './tokenizer.js';

const tokenizer = await loadTokenizer('models/qwen3-moe-demo');

function reasoningOf(text: string, startsInThinking: boolean): string {
  const splitter = new ReasoningSplitter({ startsInThinking });
  const parts = [...splitter.push(text), ...splitter.flush()];
  return parts.map((part) => (part.kind === 'reasoning' ? part.text : '')).join('');
}

describe('ReasoningTokenCounter', () => {
  it.each([
    ['<think>\nhm, 47\n</think>\n\n132', false],
    ['\n <think>hm</think>132', false],
    ['hm\n\nso\n</think>\n\n132', true],
    ['<think>\nhm', false],
    ['<think>\nhm\n\n', false],
    ['<think>\n\n</think>\n\n132', false],
    ['<think>', false],
    ['Qwen writes <think>x</think> first.', false],
    ['<think>\nhm</think> then <think>x</think>', false],
    ['132', false],
  ])('counts the tokens of what the splitter calls thinking: %j', async (text, startsInThinking) => {
    const counter = new ReasoningTokenCounter(tokenizer, { startsInThinking });
    counter.push(await tokenizer.encode(`${text}<|im_end|>`));
    const thinking = await tokenizer.encode(reasoningOf(text, startsInThinking));
    expect(counter.numTokens).toBe(thinking.length);
  });
});
