import { expect, it } from 'vitest';
import { ExactJson } from './exact-json.js';

it('gives back numbers as they were written, and keys in their order', () => {
  const json = new ExactJson();
  const parsed = json.parse('{"b": 12345678901234567890, "1": 1.0, "a": "x\\" 1.0"}') as object;
  const printed = Object.entries(parsed).map(([key, value]) => `${key}=${String(value)}`);
  expect(json.restore(printed.join(' '))).toBe('b=12345678901234567890 1=1.0 a=x" 1.0');
});

it.each([
  ['a string of quotes that is never closed', '"' + '\\"'.repeat(200_000)],
  ['a text of many strings', '"a",'.repeat(200_000)],
])('refuses %s in one go', (_, text) => {
  const startedAt = performance.now();
  expect(() => new ExactJson().parse(text)).toThrow(SyntaxError);
  expect(performance.now() - startedAt).toBeLessThan(2000);
});

it('takes a string of many megabytes', () => {
  const text = 'x'.repeat(20_000_000);
  expect(new ExactJson().parse(JSON.stringify({ text }))).toEqual({ text });
});
