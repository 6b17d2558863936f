import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { answerCalls, type AskUser } from './answer-calls.js';
import { AnswerPrinter } from './answer-printer.js';
import { type Attachment, readAttachment, withAttachments } from './attachment.js';
import { type Conversation } from './conversation.js';
import { type SavedChats } from './saved-chats.js';
import { type ChatTool } from './tool-file.js';

/** What a chat has beside its conversation. */
export interface ChatOptions {
  readonly saved: SavedChats;
  /** Saved under this name after each answer. */
  readonly sessionName?: string | undefined;
  /** They go along with the first question. */
  readonly attachments: readonly Attachment[];
  readonly tools: readonly ChatTool[];
  /** Commands of tools run without a question. */
  readonly runsToolsUnasked: boolean;
}

const HELP = `/think          let the model think before it answers: the demo model needs it for arithmetic
/no_think       answer at once: of the demo model's answers 57 % are right then, instead of 95 %
/attach FILE    send a text file along with the next question
/save [NAME]    save the conversation, now and after each answer
/load NAME      go on with a saved one; /sessions lists them
/reset          forget the conversation
/help           show this
/exit           leave (also Ctrl-D)
Ctrl-C          stop the answer; twice at the prompt: leave
`;

/** What the lines of a user do: questions and commands. */
export class ChatSession {
  readonly #conversation: Conversation;
  readonly #output: NodeJS.WritableStream;
  readonly #askUser: AskUser;
  readonly #options: ChatOptions;
  #sessionName: string | undefined;
  #attachments: readonly Attachment[];
  #answering: AbortController | undefined;

  constructor(conversation: Conversation, output: NodeJS.WritableStream, askUser: AskUser, options: ChatOptions) {
    this.#conversation = conversation;
    this.#output = output;
    this.#askUser = askUser;
    this.#options = options;
    this.#sessionName = options.sessionName;
    this.#attachments = options.attachments;
  }

  /** Whether there was an answer to stop. */
  stopAnswer(): boolean {
    this.#answering?.abort();
    return this.#answering !== undefined;
  }

  async handle(line: string): Promise<'stay' | 'leave'> {
    if (line === '') return 'stay';
    if (line === '/exit') return 'leave';
    const [, command, argument = ''] = /^(\/\w+)(?:\s+(.*))?$/s.exec(line) ?? [];
    try {
      if (command === undefined || !(await this.#obey(command, argument))) await this.#answer(line);
    } catch (thrown) {
      this.#say(`${ExpertmeshError.from(thrown).message}\n`);
    }
    return 'stay';
  }

  /** False where the line is no command but a question, such as one that begins with a path. */
  async #obey(command: string, argument: string): Promise<boolean> {
    switch (command) {
      case '/attach':
        await this.#attach(argument);
        return true;
      case '/save':
        await this.#save(argument);
        return true;
      case '/load':
        await this.#load(argument);
        return true;
    }
    if (argument !== '') return false;
    switch (command) {
      case '/reset':
        this.#conversation.reset();
        this.#say('The conversation starts anew.\n');
        break;
      case '/think':
      case '/no_think':
        this.#conversation.enableThinking = command === '/think';
        this.#say(`Thinking is ${command === '/think' ? 'on' : 'off'}.\n`);
        break;
      case '/sessions':
        this.#say(await sessionLines(this.#options.saved));
        break;
      case '/help':
        this.#say(HELP);
        break;
      default:
        this.#say(`There is no command ${command}; /help lists them.\n`);
    }
    return true;
  }

  async #attach(path: string): Promise<void> {
    const attachment = await readAttachment(path);
    this.#attachments = [...this.#attachments, attachment];
    this.#say(`${attachment.name} goes along with the next question.\n`);
  }

  async #save(name: string): Promise<void> {
    const chosen = name === '' ? this.#sessionName : name;
    if (chosen === undefined) throw new ExpertmeshError('invalid_argument', 'Under which name? /save NAME');
    await this.#options.saved.save(chosen, this.#conversation.messages);
    this.#sessionName = chosen;
    this.#say(`Saved as ${chosen}.\n`);
  }

  async #load(name: string): Promise<void> {
    const messages = await this.#options.saved.load(name);
    this.#conversation.resume(messages);
    this.#sessionName = name;
    this.#say(`${name}: ${String(messages.length)} messages.\n`);
  }

  async #answer(question: string): Promise<void> {
    const answering = new AbortController();
    this.#answering = answering;
    const printer = new AnswerPrinter(this.#output);
    const { tools, runsToolsUnasked: runsUnasked } = this.#options;
    const answerCall = answerCalls({ tools, askUser: this.#askUser, runsUnasked });
    const content = withAttachments(question, this.#attachments);
    try {
      for await (const event of this.#conversation.ask(content, answering.signal, answerCall)) printer.print(event);
      this.#attachments = [];
      printer.end();
    } catch (thrown) {
      printer.end(answering.signal.aborted ? '[stopped]' : ExpertmeshError.from(thrown).message);
    } finally {
      this.#answering = undefined;
    }
    if (this.#sessionName !== undefined) await this.#options.saved.save(this.#sessionName, this.#conversation.messages);
  }

  #say(text: string): void {
    this.#output.write(text);
  }
}

/** Saved conversations, a line each. */
export async function sessionLines(saved: SavedChats): Promise<string> {
  const chats = await saved.list();
  if (chats.length === 0) return 'No conversation is saved.\n';
  return chats
    .map(({ name, savedAt }) => `${savedAt.toISOString().slice(0, 16).replace('T', ' ')}  ${name}\n`)
    .join('');
}
