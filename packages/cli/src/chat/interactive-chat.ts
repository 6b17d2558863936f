import { createInterface, type Interface } from 'node:readline/promises';
import { type ChatOptions, ChatSession } from './chat-session.js';
import { type Conversation } from './conversation.js';

export interface Terminal {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

const PROMPT = '> ';

/** Questions and answers at a terminal until the user leaves. */
export async function runInteractiveChat(
  conversation: Conversation,
  terminal: Terminal,
  options: ChatOptions,
): Promise<void> {
  const readline = createInterface({ ...terminal, terminal: true });
  const left = new AbortController();
  const askUser = (prompt: string, signal: AbortSignal): Promise<string> =>
    readline.question(prompt, { signal: AbortSignal.any([left.signal, signal]) });
  const session = new ChatSession(conversation, terminal.output, askUser, options);
  readline.on('close', () => {
    left.abort();
    session.stopAnswer();
  });
  const interrupts = new PromptInterrupts(readline, terminal.output);
  readline.on('SIGINT', () => {
    if (!session.stopAnswer()) interrupts.add();
  });
  for (
    let line = await nextLine(readline, left.signal);
    line !== undefined;
    line = await nextLine(readline, left.signal)
  ) {
    interrupts.reset();
    if ((await session.handle(line)) === 'leave') break;
  }
  readline.close();
}

/** Undefined once the user has left: a question does not end with its readline by itself, the signal ends it. */
async function nextLine(readline: Interface, left: AbortSignal): Promise<string | undefined> {
  try {
    return (await readline.question(PROMPT, { signal: left })).trim();
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') return undefined;
    throw error;
  }
}

/** Ctrl-C at the prompt: the first one clears the line, and the next one leaves. */
class PromptInterrupts {
  readonly #readline: Interface;
  readonly #output: NodeJS.WritableStream;
  #isArmed = false;

  constructor(readline: Interface, output: NodeJS.WritableStream) {
    this.#readline = readline;
    this.#output = output;
  }

  add(): void {
    if (this.#isArmed && this.#readline.line === '') {
      this.#readline.close();
      return;
    }
    this.#isArmed = true;
    this.#readline.write(null, { ctrl: true, name: 'e' });
    this.#readline.write(null, { ctrl: true, name: 'u' });
    this.#output.write('\n(Ctrl-C again, or Ctrl-D, leaves)\n');
    this.#readline.prompt();
  }

  reset(): void {
    this.#isArmed = false;
  }
}
