import { describe, expect, it } from 'vitest';
import { unlessAborted } from './ready.js';

describe('unlessAborted', () => {
  it('does not wait for a process that hangs once the start is interrupted', async () => {
    const interrupt = new AbortController();
    const waiting = unlessAborted(new Promise(() => undefined), interrupt.signal);
    interrupt.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
    await expect(unlessAborted(Promise.resolve(1), interrupt.signal)).rejects.toThrow();
  });

  it('gives what it waited for otherwise', async () => {
    const { signal } = new AbortController();
    expect(await unlessAborted(Promise.resolve(1), signal)).toBe(1);
    await expect(unlessAborted(Promise.reject(new Error('ended')), signal)).rejects.toThrow('ended');
  });
});
