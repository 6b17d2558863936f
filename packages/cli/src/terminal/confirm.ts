import { createInterface } from 'node:readline/promises';

export interface Terminal {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly output: NodeJS.WritableStream;
}

/** Asks a question whose answer is no unless it begins with y. Throws an AbortError when `signal` aborts. */
export async function confirm(question: string, { input, output }: Terminal, signal: AbortSignal): Promise<boolean> {
  const lines = createInterface({ input, output });
  // readline takes Ctrl-C from the terminal for itself.
  const interrupted = new AbortController();
  lines.on('SIGINT', () => {
    interrupted.abort();
    process.kill(process.pid, 'SIGINT');
  });
  try {
    const answer = await lines.question(`${question} [y/N] `, {
      signal: AbortSignal.any([signal, interrupted.signal]),
    });
    return /^y(es)?$/i.test(answer.trim());
  } catch (thrown) {
    if (signal.aborted || interrupted.signal.aborted) return false;
    throw thrown;
  } finally {
    lines.close();
  }
}
