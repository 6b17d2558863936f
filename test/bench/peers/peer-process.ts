import { type ChildProcess } from 'node:child_process';
import { processorSecondsOf } from '../harness/processor-time.js';
import { type Subject } from '../harness/subject.js';

export interface PeerOrder {
  /** Token ids; all prompts are computed together. */
  readonly prompts: readonly (readonly number[])[];
  readonly numTokens: number;
}

export type PeerAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'generated'; readonly timesMs: readonly (readonly number[])[] }
  | { readonly kind: 'failed'; readonly message: string };

export interface PeerOptions {
  readonly ggufFile: string;
  readonly numThreads: number;
  readonly maxSequences: number;
  /** Longest sequence, prompt and answer together. */
  readonly contextSize: number;
}

/**
 * Another engine, ready to compute, in a process of its own that answers over Node's IPC: what it does and when is up
 * to the caller.
 */
export class PeerProcess implements Subject {
  readonly name: string;
  readonly #child: ChildProcess;

  private constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
  }

  /** @throws Error when the process ends or fails before the model is loaded. */
  static async start(name: string, child: ChildProcess): Promise<PeerProcess> {
    const peer = new PeerProcess(name, child);
    await peer.#answer();
    return peer;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async generate(prompts: PeerOrder['prompts'], numTokens: number): Promise<readonly (readonly number[])[]> {
    this.#child.send({ prompts, numTokens } satisfies PeerOrder);
    const answer = await this.#answer();
    if (answer.kind !== 'generated') throw new Error(`${this.name} gave an answer out of turn`);
    return answer.timesMs;
  }

  processorSeconds(): number {
    return processorSecondsOf(this.pid);
  }

  async stop(): Promise<void> {
    const exited = new Promise((resolve) => this.#child.once('exit', resolve));
    if (this.#child.exitCode === null && this.#child.kill('SIGKILL')) await exited;
  }

  #answer(): Promise<Exclude<PeerAnswer, { kind: 'failed' }>> {
    return new Promise((resolve, reject) => {
      const onExit = (): void => reject(new Error(`the process of ${this.name} has ended; its output says why`));
      this.#child.once('exit', onExit);
      this.#child.once('message', (message: PeerAnswer) => {
        this.#child.off('exit', onExit);
        if (message.kind === 'failed') reject(new Error(`${this.name}: ${message.message}`));
        else resolve(message);
      });
    });
  }
}
