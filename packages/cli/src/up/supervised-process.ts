import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Logger } from '@expertmesh/shared/process/logger';
import { type ListeningPorts, type Role } from '@expertmesh/shared/process/parent-link';
import { systemClock, type Clock } from '@expertmesh/shared/rpc/clock';
import { decideRestart } from './restart-policy.js';
import { type RoleProcess } from './role-process.js';

export interface SupervisedProcessOptions<R extends Role> {
  /** As in "worker 2", for messages. */
  readonly name: string;
  readonly logger: Logger;
  /** Starts it; `ports` are those of the first start, to be taken again, so that its address stays the same. */
  readonly fork: (ports: ListeningPorts[R] | undefined) => RoleProcess<R>;
  readonly clock?: Clock;
  /** Called once, when it has failed too often to be started again. */
  readonly onGiveUp: (error: ExpertmeshError) => void;
}

/** A process that is started again when it ends, until `stop`. */
export class SupervisedProcess<R extends Role> {
  /**
   * The ports, which it keeps; rejects with `unavailable` when its first start ends before they are open: another start
   * would end in the same way.
   */
  readonly listening: Promise<ListeningPorts[R]>;
  readonly #options: SupervisedProcessOptions<R>;
  readonly #stopping = new AbortController();
  readonly #supervision: Promise<void>;
  #process: RoleProcess<R>;

  constructor(options: SupervisedProcessOptions<R>) {
    this.#options = options;
    this.#process = options.fork(undefined);
    this.listening = this.#process.listening;
    this.#supervision = this.listening.then(
      (ports) => this.#supervise(ports),
      () => undefined,
    );
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Ends it for good: SIGTERM, and SIGKILL when `deadline` aborts. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#stopping.abort();
    await this.#process.stop(deadline);
    await this.#supervision;
  }

  async #supervise(ports: ListeningPorts[R]): Promise<void> {
    const { name, logger, fork, onGiveUp, clock = systemClock } = this.#options;
    let numQuickFailures = 0;
    let startedAtMs = clock.nowMs();
    for (;;) {
      const how = await this.#process.ended;
      if (this.#stopping.signal.aborted) return;
      const decision = decideRestart(numQuickFailures, clock.nowMs() - startedAtMs);
      if (decision.kind === 'give-up') {
        onGiveUp(
          new ExpertmeshError('unavailable', `${name} keeps failing (last with ${how}): see its messages above`),
        );
        return;
      }
      logger.warn(
        `${name} (pid ${String(this.pid)}) ended with ${how}; starting it again in ${String(decision.delayMs)} ms`,
      );
      if (!(await this.#isDelayOver(clock, decision.delayMs))) return;
      numQuickFailures = decision.numQuickFailures;
      startedAtMs = clock.nowMs();
      this.#process = fork(ports);
    }
  }
  /** False where `stop` came first. */
  #isDelayOver(clock: Clock, delayMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const cancel = clock.after(delayMs, () => {
        resolve(true);
      });
      const onStop = (): void => {
        cancel();
        resolve(false);
      };
      this.#stopping.signal.addEventListener('abort', onStop, { once: true });
    });
  }
}
