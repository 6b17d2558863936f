import { createInterface, type Interface } from 'node:readline/promises';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { AnswerPrinter } from './answer-printer.js';
import { type Conversation } from './conversation.js';

export interface Terminal {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

const PROMPT = '> ';

const HELP = `/think      let the model think before it answers: the demo model needs it for arithmetic
/no_think   answer at once: of the demo model's answers 57 % are right then, instead of 95 %
/reset      forget the conversation
/help       show this
/exit       leave (also Ctrl-D)
Ctrl-C      stop the answer; at the prompt: leave
`;

/** Questions and answers at a terminal until the user leaves. */
export async function runInteractiveChat(conversation: Conversation, terminal: Terminal): Promise<void> {
  const readline = createInterface({ ...terminal, terminal: true });
  const session = new InteractiveSession(conversation, terminal.output);
  const left = new AbortController();
  readline.on('close', () => {
    left.abort();
    session.stopAnswer();
  });
  readline.on('SIGINT', () => {
    if (!session.stopAnswer()) readline.close();
  });
  for (
    let line = await nextLine(readline, left.signal);
    line !== undefined;
    line = await nextLine(readline, left.signal)
  ) {
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

class InteractiveSession {
  readonly #conversation: Conversation;
  readonly #output: NodeJS.WritableStream;
  #answering: AbortController | undefined;

  constructor(conversation: Conversation, output: NodeJS.WritableStream) {
    this.#conversation = conversation;
    this.#output = output;
  }

  /** Whether there was an answer to stop. */
  stopAnswer(): boolean {
    this.#answering?.abort();
    return this.#answering !== undefined;
  }

  async handle(line: string): Promise<'stay' | 'leave'> {
    switch (line) {
      case '':
        return 'stay';
      case '/exit':
        return 'leave';
      case '/reset':
        this.#conversation.reset();
        return this.#say('The conversation starts anew.\n');
      case '/think':
      case '/no_think':
        this.#conversation.enableThinking = line === '/think';
        return this.#say(`Thinking is ${line === '/think' ? 'on' : 'off'}.\n`);
      case '/help':
        return this.#say(HELP);
      default:
        if (/^\/\w+$/.test(line)) return this.#say(`There is no command ${line}; /help lists them.\n`);
        await this.#answer(line);
        return 'stay';
    }
  }

  #say(text: string): 'stay' {
    this.#output.write(text);
    return 'stay';
  }

  async #answer(question: string): Promise<void> {
    const answering = new AbortController();
    this.#answering = answering;
    const printer = new AnswerPrinter(this.#output);
    try {
      for await (const event of this.#conversation.ask(question, answering.signal)) printer.print(event);
      printer.end();
    } catch (thrown) {
      printer.end(answering.signal.aborted ? '[stopped]' : ExpertmeshError.from(thrown).message);
    } finally {
      this.#answering = undefined;
    }
  }
}
