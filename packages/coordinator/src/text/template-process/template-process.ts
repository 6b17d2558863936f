import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ExpertmeshError, fromErrorData } from '@expertmesh/shared/errors/expertmesh-error';
import { TEMPLATE_HEAP_MIB, TEMPLATE_TIMEOUT_MS, type TemplateAnswer, type TemplateTask } from './template-task.js';

const MAIN = fileURLToPath(new URL('./process-main.js', import.meta.url));

/** Characters of messages that may wait, and what each request counts beside its own. */
const MAX_WAITING_CHARS = 32 * 1024 * 1024;
const REQUEST_CHARS = 1024;

/** The process interrupts itself before; this is for what cannot be interrupted, and for a machine that is busy. */
const KILL_AFTER_MS = 2 * TEMPLATE_TIMEOUT_MS;

/**
 * Renders chat templates, which are programs of others, where they can take neither this process's time nor its memory:
 * in a process with little memory and no secrets, one after the other, each for some seconds at most. One that has died
 * is replaced when the next task comes.
 */
export class TemplateProcess {
  #child: ChildProcess | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #waitingChars = 0;
  #isClosed = false;

  /**
   * The text that a task asks for.
   *
   * @throws ExpertmeshError what the template is refused for, or refuses; `invalid_argument` where it takes too much
   * time or memory, or makes too long a text; `resource_exhausted` where too much waits already; `unavailable` where
   * the process was ended from outside.
   */
  async run(task: TemplateTask): Promise<string> {
    const numChars = REQUEST_CHARS + charsOf(task);
    if (this.#waitingChars > 0 && this.#waitingChars + numChars > MAX_WAITING_CHARS)
      throw new ExpertmeshError(
        'resource_exhausted',
        `messages of ${String(this.#waitingChars)} characters wait for the chat template, at most ` +
          `${String(MAX_WAITING_CHARS)} may: send these again later`,
      );
    this.#waitingChars += numChars;
    const answered = this.#last.then(() => this.#ask(task));
    this.#last = answered.catch(() => undefined);
    try {
      const answer = await answered;
      if ('error' in answer) throw fromErrorData(answer.error);
      return answer.text;
    } finally {
      this.#waitingChars -= numChars;
    }
  }

  /** Ends the process; what is under way fails with `unavailable`. */
  close(): void {
    this.#isClosed = true;
    this.#child?.kill('SIGKILL');
  }

  #ask(task: TemplateTask): Promise<TemplateAnswer> {
    if (this.#isClosed) throw new ExpertmeshError('unavailable', 'this process is shutting down');
    const child = (this.#child ??= this.#start());
    return new Promise((resolve, reject) => {
      let isLate = false;
      const timer = setTimeout(() => {
        isLate = true;
        child.kill('SIGKILL');
      }, KILL_AFTER_MS);
      const settle = (): void => {
        clearTimeout(timer);
        child.off('message', onAnswer).off('exit', onEnd).off('error', onEnd);
      };
      const onEnd = (how: unknown, signal?: string | null): void => {
        settle();
        this.#forget(child);
        reject(isLate ? takesTooLong() : endedBy(signal ?? how));
      };
      const onAnswer = (answer: unknown): void => {
        settle();
        // Both ends are this package's own.
        resolve(answer as TemplateAnswer);
      };
      child.on('message', onAnswer).on('exit', onEnd).on('error', onEnd);
      // What cannot be sent is told by the child's end.
      child.send(task, () => undefined);
    });
  }

  #start(): ChildProcess {
    const child = fork(MAIN, [], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      serialization: 'advanced',
      execArgv: [`--max-old-space-size=${String(TEMPLATE_HEAP_MIB)}`],
      // Keys are in the environment; a template may ask for the time of day.
      env: process.env['TZ'] === undefined ? {} : { TZ: process.env['TZ'] },
      // Of a process group of its own, so that Ctrl-C in a terminal leaves requests their templates.
      detached: true,
    });
    // Neither may keep this process from ending.
    child.unref();
    child.channel?.unref();
    child.on('exit', () => {
      this.#forget(child);
    });
    child.on('error', () => {
      this.#forget(child);
    });
    return child;
  }

  #forget(child: ChildProcess): void {
    if (this.#child === child) this.#child = undefined;
  }
}

const charsOf = ({ source, input }: TemplateTask): number =>
  source.length + (input?.messages ?? []).reduce((sum, { content }) => sum + content.length, 0);

const takesTooLong = (): ExpertmeshError =>
  refusal(`The chat template was not done after ${String(KILL_AFTER_MS / 1000)} s`);

/** V8 ends a process that needs more memory than it may have by one of several signals, and never by these. */
const FROM_OUTSIDE: readonly unknown[] = ['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP'];

const endedBy = (how: unknown): ExpertmeshError =>
  typeof how === 'string' && !FROM_OUTSIDE.includes(how)
    ? refusal(`The chat template took more than ${String(TEMPLATE_HEAP_MIB)} MiB of memory for these messages`)
    : new ExpertmeshError('unavailable', `The process of chat templates ended (${String(how)}): send this again`);

const refusal = (message: string): ExpertmeshError =>
  new ExpertmeshError('invalid_argument', `${message}: shorten the messages, or mend the template`, {
    param: 'messages',
  });
