import { type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { forkTypescript } from '@expertmesh/test-kit/fork-typescript';

export interface LlamaCppOrder {
  /** Token ids; all prompts are computed together. */
  readonly prompts: readonly (readonly number[])[];
  readonly numTokens: number;
}

export type LlamaCppAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'generated'; readonly timesMs: readonly (readonly number[])[] }
  | { readonly kind: 'failed'; readonly message: string };

export interface LlamaCppOptions {
  readonly ggufFile: string;
  readonly numThreads: number;
  readonly maxSequences: number;
  /** Longest sequence, prompt and answer together. */
  readonly contextSize: number;
}

export const INSTALL_COMMAND = 'npm install --prefix test/bench/peers';

/** The installed version of node-llama-cpp, undefined where it is not installed. */
export function llamaCppVersion(): string | undefined {
  try {
    const file = new URL('./node_modules/node-llama-cpp/package.json', import.meta.url);
    return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
  } catch {
    return undefined;
  }
}

/** llama.cpp, ready to compute, in a process of its own: what it does and when is up to the caller. */
export class LlamaCppPeer {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** @throws Error when the process ends or fails before the model is loaded. */
  static async start(options: LlamaCppOptions): Promise<LlamaCppPeer> {
    const child = forkTypescript(new URL('./llama-cpp-process.ts', import.meta.url), options);
    const peer = new LlamaCppPeer(child);
    await peer.#answer();
    return peer;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Times of the tokens of each prompt's answer, in milliseconds since the start. */
  async generate(order: LlamaCppOrder): Promise<readonly (readonly number[])[]> {
    this.#child.send(order);
    const answer = await this.#answer();
    if (answer.kind !== 'generated') throw new Error('llama.cpp gave an answer out of turn');
    return answer.timesMs;
  }

  async stop(): Promise<void> {
    const exited = new Promise((resolve) => this.#child.once('exit', resolve));
    if (this.#child.exitCode === null && this.#child.kill('SIGKILL')) await exited;
  }

  #answer(): Promise<Exclude<LlamaCppAnswer, { kind: 'failed' }>> {
    return new Promise((resolve, reject) => {
      const onExit = (): void => reject(new Error('the process of llama.cpp has ended; its output says why'));
      this.#child.once('exit', onExit);
      this.#child.once('message', (message: LlamaCppAnswer) => {
        this.#child.off('exit', onExit);
        if (message.kind === 'failed') reject(new Error(`llama.cpp: ${message.message}`));
        else resolve(message);
      });
    });
  }
}
