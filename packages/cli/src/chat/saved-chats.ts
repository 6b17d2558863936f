import { chmod, mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { z } from 'zod';
import { chatMessage, type ChatMessage } from './chat-messages.js';

export interface SavedChat {
  readonly name: string;
  readonly savedAt: Date;
}

const fileSchema = z.object({ version: z.literal(1), messages: z.array(chatMessage) });

/** Conversations by name, each a file that only its owner can read. */
export class SavedChats {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** @throws ExpertmeshError `invalid_argument` for a name that is none, and what writing fails with. */
  async save(name: string, messages: readonly ChatMessage[]): Promise<void> {
    const path = this.#pathOf(name);
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    await chmod(this.#directory, 0o700);
    const written = `${path}.${String(process.pid)}.new`;
    await writeFile(written, `${JSON.stringify({ version: 1, messages }, null, 1)}\n`, { mode: 0o600 });
    await rename(written, path);
  }

  /** @throws ExpertmeshError `not_found`, or `data_loss` for a file that is no conversation. */
  async load(name: string): Promise<readonly ChatMessage[]> {
    const messages = await this.find(name);
    if (messages === undefined) {
      throw new ExpertmeshError('not_found', `There is no saved conversation ${name}; /sessions lists them`);
    }
    return messages;
  }

  /** Undefined where there is none of that name. */
  async find(name: string): Promise<readonly ChatMessage[] | undefined> {
    const path = this.#pathOf(name);
    const text = await readFile(path, 'utf8').catch(absent);
    if (text === undefined) return undefined;
    try {
      return fileSchema.parse(JSON.parse(text)).messages;
    } catch (cause) {
      throw new ExpertmeshError('data_loss', `${path} is no saved conversation: move it away`, { cause });
    }
  }

  /** Newest first. */
  async list(): Promise<readonly SavedChat[]> {
    const files = (await readdir(this.#directory).catch(absent)) ?? [];
    const names = files.filter((file) => file.endsWith(SUFFIX)).map((file) => file.slice(0, -SUFFIX.length));
    const chats = await Promise.all(
      names.map(async (name) => ({ name, savedAt: (await stat(join(this.#directory, name + SUFFIX))).mtime })),
    );
    return chats.sort((a, b) => b.savedAt.getTime() - a.savedAt.getTime());
  }

  #pathOf(name: string): string {
    if (/^\w[\w.-]{0,63}$/.test(name)) return join(this.#directory, name + SUFFIX);
    const message =
      `${JSON.stringify(name)} is no name for a conversation: take up to 64 letters, digits, ".", ` + '"-", "_"';
    throw new ExpertmeshError('invalid_argument', message);
  }
}

/** Where conversations are kept: below $XDG_STATE_HOME, or ~/.local/state. */
export function savedChatsDirectory(env: NodeJS.ProcessEnv): string {
  return join(env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state'), 'expertmesh', 'chats');
}

const SUFFIX = '.json';

function absent(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error;
}
