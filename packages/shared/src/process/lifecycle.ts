import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { EXIT_FAILED } from './exit-code.js';
import { type Logger } from './logger.js';

/** Ends one part of a process. `deadline` aborts when waiting politely must end: drop what is left then. */
export type Closer = (deadline: AbortSignal) => Promise<void> | void;

export interface Lifecycle {
  /** Aborts when the shutdown begins: the first SIGTERM or SIGINT, a failure, or the loss of the parent. */
  readonly signal: AbortSignal;
  /** Registers a part as soon as it is open. Parts are closed one after the other, the last one opened first. */
  onShutdown(part: string, close: Closer): void;
  /** Ends the process with exit code 1 after an orderly shutdown: a part that cannot be done without has died. */
  readonly fail: (error: unknown) => void;
}

export interface LifecycleOptions {
  readonly logger: Logger;
  /** Time for all closers together before their deadline aborts. */
  readonly drainTimeoutMs: number;
}

/** A child whose parent is gone has nobody to drain for. */
const ORPHAN_DRAIN_TIMEOUT_MS = 500;
/**
 * The same signal within this time is the same wish: Ctrl-C reaches every process of a terminal, and a wrapper such as
 * npm passes on what it got too.
 */
const SAME_SIGNAL_WITHIN_MS = 300;
/** From the deadline to the forced exit. */
const FORCE_EXIT_AFTER_MS = 2_000;

/**
 * Runs a long-lived process: calls `start`, waits for the end, closes what was registered.
 *
 * The end is SIGTERM, SIGINT, `fail`, an error thrown by `start`, or, in a forked process, the end of the IPC channel:
 * a parent that is killed with -9 leaves no orphan. A second signal exits at once with code 1, and so does a shutdown
 * that outlasts its deadline. Resolves after a clean shutdown that was asked for; rejects with the reason otherwise.
 */
export async function runUntilShutdown(
  options: LifecycleOptions,
  start: (lifecycle: Lifecycle) => Promise<void>,
): Promise<void> {
  const end = new ShutdownTrigger(options.logger);
  const parts: Part[] = [];
  const fail = (error: unknown): void => {
    end.trigger({ kind: 'failed', error });
  };
  // An interrupted start may throw as well; after the trigger that is no reason of its own.
  const started = start({
    signal: end.signal,
    onShutdown: (name, close) => parts.push({ name, close }),
    fail,
  }).catch(fail);
  const reason = await end.reason;
  const drainTimeoutMs = reason.kind === 'orphaned' ? ORPHAN_DRAIN_TIMEOUT_MS : options.drainTimeoutMs;
  await closeAll(started, parts, drainTimeoutMs, options.logger);
  end.release();
  if (reason.kind === 'failed') throw reason.error;
  if (reason.kind === 'orphaned') throw new ExpertmeshError('unavailable', 'the parent process is gone');
}

interface Part {
  readonly name: string;
  readonly close: Closer;
}

type ShutdownReason =
  { readonly kind: 'signal' } | { readonly kind: 'orphaned' } | { readonly kind: 'failed'; readonly error: unknown };

/** Listens for whatever may end this process; only the first reason counts. */
class ShutdownTrigger {
  readonly reason: Promise<ShutdownReason>;
  readonly #abort = new AbortController();
  readonly #logger: Logger;
  #resolve: (reason: ShutdownReason) => void = () => undefined;
  #last: { readonly signalName: NodeJS.Signals; readonly atMs: number } | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.reason = new Promise((resolve) => (this.#resolve = resolve));
    process.on('SIGTERM', this.#onSignal).on('SIGINT', this.#onSignal);
    process.on('uncaughtExceptionMonitor', this.#onUncaught);
    // Only a forked process has process.send, and it keeps it when the parent goes, which may be before anybody
    // listened.
    if (process.send === undefined) return;
    process.on('disconnect', this.#onDisconnect);
    if (!process.connected) this.#onDisconnect();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  trigger(reason: ShutdownReason): void {
    if (this.signal.aborted) return;
    this.#logger.info({ reason: reason.kind }, 'shutting down');
    this.#resolve(reason);
    this.#abort.abort();
  }

  /** Lets the process end by itself. */
  release(): void {
    process.off('SIGTERM', this.#onSignal).off('SIGINT', this.#onSignal);
    process.off('uncaughtExceptionMonitor', this.#onUncaught).off('disconnect', this.#onDisconnect);
    if (process.connected) process.disconnect();
  }

  readonly #onSignal = (signalName: NodeJS.Signals): void => {
    const isRepeated =
      this.#last?.signalName === signalName && performance.now() - this.#last.atMs < SAME_SIGNAL_WITHIN_MS;
    if (isRepeated) return;
    if (this.signal.aborted) {
      this.#logger.warn(`${signalName} while shutting down: exiting at once`);
      process.exit(EXIT_FAILED);
    }
    this.#last = { signalName, atMs: performance.now() };
    this.trigger({ kind: 'signal' });
  };

  readonly #onDisconnect = (): void => {
    this.trigger({ kind: 'orphaned' });
  };

  // Only logs: Node ends the process with its own exit code after it.
  readonly #onUncaught = (error: Error): void => {
    this.#logger.fatal({ err: error }, 'uncaught exception');
  };
}

async function closeAll(
  started: Promise<void>,
  parts: readonly Part[],
  drainTimeoutMs: number,
  logger: Logger,
): Promise<void> {
  const deadline = new AbortController();
  const drain = setTimeout(() => {
    deadline.abort();
  }, drainTimeoutMs);
  const forceExit = setTimeout(() => {
    logger.error(`still not ended after ${String(drainTimeoutMs + FORCE_EXIT_AFTER_MS)} ms: exiting`);
    process.exit(EXIT_FAILED);
  }, drainTimeoutMs + FORCE_EXIT_AFTER_MS);
  // A start that is still under way may yet open parts; it watches the lifecycle's signal.
  await started;
  for (const { name, close } of parts.toReversed()) {
    try {
      await close(deadline.signal);
    } catch (error) {
      logger.error({ err: error, part: name }, 'could not close cleanly');
    }
  }
  clearTimeout(drain);
  // From here on it must not keep the process alive itself: it acts only where something that was left open does.
  forceExit.unref();
}
