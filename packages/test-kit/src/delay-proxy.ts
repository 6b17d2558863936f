import { once } from 'node:events';
import { type ChildProcess } from 'node:child_process';
import { type NetworkAddress } from '@expertmesh/shared/config/network-address';
import { forkTypescript, type CommandPrefix } from './fork-typescript.js';

export interface DelayProxySettings {
  readonly routes: readonly { readonly from: NetworkAddress; readonly to: NetworkAddress }[];
  /** One way, in both directions. */
  readonly delayMs: number;
}

export interface DelayProxyOrder {
  readonly delayMs: number;
}

export type DelayProxyAnswer = 'listening' | 'delay set';

/**
 * A TCP proxy that stands for a longer wire: every piece arrives later by the same time, in order; how much is under
 * way at a time is not limited. It runs in a process of its own, which a busy test does not hold up.
 */
export class DelayProxy {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** @param prefix A command to run the proxy under, such as that of a network namespace. */
  static async start(settings: DelayProxySettings, prefix: CommandPrefix = []): Promise<DelayProxy> {
    const child = forkTypescript(new URL('./delay-proxy-process.ts', import.meta.url), settings, prefix);
    const proxy = new DelayProxy(child);
    await proxy.#answer('listening');
    return proxy;
  }

  /** Changes the delay of what is sent from now on. */
  async setDelay(delayMs: number): Promise<void> {
    this.#child.send({ delayMs } satisfies DelayProxyOrder);
    await this.#answer('delay set');
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }

  async #answer(expected: DelayProxyAnswer): Promise<void> {
    const ended = new AbortController();
    const onExit = (): void => {
      ended.abort(new Error(`the delay proxy ended before it was ${expected}; its output says why`));
    };
    this.#child.once('exit', onExit);
    try {
      await once(this.#child, 'message', { signal: ended.signal });
    } finally {
      this.#child.off('exit', onExit);
    }
  }
}
