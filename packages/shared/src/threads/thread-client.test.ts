import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ThreadClient, type ThreadOptions } from './thread-client.js';
import { type ThreadContract } from './thread-contract.js';
import { ExpertmeshError } from '../errors/expertmesh-error.js';

interface EchoContract extends ThreadContract {
  readonly data: { readonly refuseToStart?: string };
  readonly ready: { readonly threadIsUp: true };
  readonly requests: {
    readonly count: { readonly argument: number; readonly result: string; readonly progress: ArrayBuffer };
    readonly untilAbort: { readonly argument: undefined; readonly result: string };
    readonly fail: { readonly argument: string; readonly result: undefined };
    readonly never: { readonly argument: undefined; readonly result: undefined };
  };
  readonly messages: { readonly note: { readonly text: string }; readonly crash: string };
  readonly events: { readonly noted: string };
}

// A thread is a file of the built package, as it would be in a process: what it serves is written out here.
const ENTRY = `
import { serveThread } from '${builtUrl('threads/serve-thread')}';
import { ExpertmeshError } from '${builtUrl('errors/expertmesh-error')}';
serveThread(({ refuseToStart }, emit) => {
  if (refuseToStart) throw new ExpertmeshError('failed_precondition', refuseToStart, { param: 'store' });
  return {
    ready: { threadIsUp: true },
    requests: {
      count: (to, { progress }) => {
        for (let i = 0; i < to; i++) {
          const buffer = new ArrayBuffer(i + 1);
          progress(buffer, [buffer]);
          if (buffer.byteLength > 0) throw new Error('the buffer was copied');
        }
        return 'counted to ' + to;
      },
      untilAbort: (_, { signal }) =>
        new Promise((resolve) => signal.addEventListener('abort', () => resolve('aborted'))),
      fail: (param) => {
        throw new ExpertmeshError('data_loss', 'bad', { param, cause: new Error('why') });
      },
      never: () => new Promise(() => undefined),
    },
    messages: {
      note: ({ text }) => emit('noted', text),
      crash: (text) => {
        throw new ExpertmeshError('data_loss', text);
      },
    },
    close: () => Promise.resolve(emit('noted', 'closing')),
  };
});
`;

function builtUrl(module: string): string {
  return pathToFileURL(createRequire(import.meta.url).resolve(`@expertmesh/shared/${module}`)).href;
}

const NEVER = new AbortController().signal;

let dir = '';

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'thread-client-'));
  writeFileSync(join(dir, 'thread.mjs'), ENTRY);
});

afterAll(() => {
  rmSync(dir, { recursive: true });
});

const start = async (options: Partial<ThreadOptions<EchoContract>> = {}, signal?: AbortSignal) =>
  ThreadClient.start<EchoContract>(
    {
      name: 'the echo thread',
      entry: pathToFileURL(join(dir, 'thread.mjs')),
      data: {},
      on: { noted: () => undefined },
      ...options,
    },
    signal,
  );

describe('ThreadClient', () => {
  it('asks and is answered, with progress on the way whose buffers are handed over', async () => {
    const { thread, ready } = await start();
    expect(ready).toEqual({ threadIsUp: true });
    const sizes: number[] = [];
    const onProgress = (buffer: ArrayBuffer): void => void sizes.push(buffer.byteLength);
    await expect(thread.request('count', 3, { onProgress })).resolves.toBe('counted to 3');
    expect(sizes).toEqual([1, 2, 3]);
    await thread.terminate();
  });

  it('tells messages in order and hears of events, until the thread has closed in good order', async () => {
    const noted = vi.fn<(text: string) => void>();
    const onDeath = vi.fn<(error: ExpertmeshError) => void>();
    const { thread } = await start({ on: { noted }, onDeath });
    for (const text of ['a', 'b']) thread.send('note', { text });
    const open = thread.request('never', undefined);
    const closed = thread.close(NEVER);
    await expect(thread.request('count', 1)).rejects.toMatchObject({ code: 'unavailable' });
    await expect(open).rejects.toThrow('the echo thread is shutting down');
    await closed;
    expect(noted.mock.calls.flat()).toEqual(['a', 'b', 'closing']);
    expect(onDeath).not.toHaveBeenCalled();
  });

  it('passes an abort on and waits for the answer', async () => {
    const { thread } = await start();
    const abort = new AbortController();
    const answer = thread.request('untilAbort', undefined, { signal: abort.signal });
    abort.abort();
    await expect(answer).resolves.toBe('aborted');
    await expect(thread.request('untilAbort', undefined, { signal: AbortSignal.abort() })).resolves.toBe('aborted');
    await thread.terminate();
  });

  it('fails a request with the whole error, and nothing else', async () => {
    const { thread } = await start();
    const failed = thread.request('fail', 'layer');
    await expect(failed).rejects.toMatchObject({ code: 'data_loss', param: 'layer', cause: { message: 'why' } });
    await expect(thread.request('count', 0)).resolves.toBe('counted to 0');
    await thread.terminate();
  });

  it('fails what is open, and all that follows, when the thread dies', async () => {
    const onDeath = vi.fn<(error: ExpertmeshError) => void>();
    const { thread } = await start({ onDeath });
    const open = thread.request('never', undefined);
    thread.send('crash', 'the model is gone');
    await expect(open).rejects.toThrow('the echo thread has died: the model is gone');
    await expect(thread.request('count', 1)).rejects.toThrow('the echo thread has died');
    expect(thread.endedBy).toMatchObject({ code: 'internal', cause: { code: 'data_loss' } });
    expect(onDeath).toHaveBeenCalledExactlyOnceWith(thread.endedBy);
  });

  it('says why a thread cannot start, with all of the error', async () => {
    const onDeath = vi.fn<(error: ExpertmeshError) => void>();
    const refused = start({ data: { refuseToStart: 'another store' }, onDeath });
    await expect(refused).rejects.toMatchObject({ code: 'failed_precondition', param: 'store' });
    const missing = start({ entry: pathToFileURL(join(dir, 'missing.mjs')), onDeath });
    await expect(missing).rejects.toThrow('Cannot find module');
    expect(onDeath).not.toHaveBeenCalled();
  });

  it('gives up starting when that is cancelled', async () => {
    await expect(start({}, AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('ends the thread by force when closing takes longer than it may, and fails what is open', async () => {
    const { thread } = await start();
    const open = thread.request('never', undefined);
    const ended = expect(open).rejects.toMatchObject({ code: 'unavailable' });
    await thread.close(AbortSignal.abort());
    await ended;
  });

  it('ends the thread to interrupt what blocks it', async () => {
    const { thread } = await start();
    const abort = new AbortController();
    const cancelled = (): ExpertmeshError => new ExpertmeshError('cancelled', 'nobody waits');
    const blocked = thread.requestOrEnd('never', undefined, { interrupt: abort.signal, cancelled });
    abort.abort();
    await expect(blocked).rejects.toMatchObject({ code: 'cancelled', message: 'nobody waits' });
    await expect(thread.request('count', 1)).rejects.toThrow('nobody waits');
  });
});
