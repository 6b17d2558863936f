import { expect, it } from 'vitest';
import { merged } from './merged.js';

async function* countTo(last: number, name: string): AsyncGenerator<string> {
  for (let n = 1; n <= last; n++) {
    await Promise.resolve();
    yield name + String(n);
  }
}

it('gives everything of all sources, each in its order', async () => {
  const seen: string[] = [];
  for await (const value of merged([countTo(3, 'a'), countTo(1, 'b'), countTo(0, 'c')])) seen.push(value);
  expect([...seen].sort()).toEqual(['a1', 'a2', 'a3', 'b1']);
  expect(seen.filter((value) => value.startsWith('a'))).toEqual(['a1', 'a2', 'a3']);
  expect(seen.indexOf('b1')).toBeLessThan(seen.indexOf('a3'));
});

it('does not let a source run ahead of who takes its values', async () => {
  let numMade = 0;
  async function* eager(): AsyncGenerator<number> {
    for (; numMade < 100; numMade++) {
      await Promise.resolve();
      yield numMade;
    }
  }
  const values = merged([eager()]);
  await values.next();
  await new Promise((resolve) => setImmediate(resolve));
  expect(numMade).toBe(0);
});

it('fails when a source does', async () => {
  async function* failing(): AsyncGenerator<string> {
    yield 'x';
    await Promise.resolve();
    throw new Error('no more');
  }
  const seen: string[] = [];
  await expect(async () => {
    for await (const value of merged([countTo(1, 'a'), failing()])) seen.push(value);
  }).rejects.toThrow('no more');
  expect(seen).toContain('x');
});

it('ends sources that wait when nobody takes any more', async () => {
  let hasEnded = false;
  async function* waiting(): AsyncGenerator<string> {
    try {
      for (;;) {
        await Promise.resolve();
        yield 'x';
      }
    } finally {
      hasEnded = true;
    }
  }
  for await (const value of merged([waiting()])) if (value === 'x') break;
  await new Promise((resolve) => setImmediate(resolve));
  expect(hasEnded).toBe(true);
});
