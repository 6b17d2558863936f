import { spawn } from 'node:child_process';
import { PassThrough } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import { ChatClient } from 'expertmesh/chat/chat-client';
import { Conversation } from 'expertmesh/chat/conversation';
import { runInteractiveChat } from 'expertmesh/chat/interactive-chat';
import { SavedChats } from 'expertmesh/chat/saved-chats';
import { type ChatTool } from 'expertmesh/chat/tool-file';
import { expect } from 'vitest';
import { MODEL_ID } from '@expertmesh/test-kit/http-api';
import { tempDir } from '@expertmesh/test-kit/temp-dir';

interface UserOptions {
  readonly tools?: readonly ChatTool[];
  readonly directory?: string;
}

/** A user at a terminal: types, and waits until something is on the screen. */
export function openTerminal(url: string, { tools = [], directory = tempDir() }: UserOptions = {}) {
  const input = new PassThrough();
  const output = new PassThrough();
  let screen = '';
  output.on('data', (bytes: Buffer) => (screen += bytes.toString()));
  const definitions = tools.length === 0 ? undefined : tools.map(({ definition }) => definition);
  const settings = { model: MODEL_ID, system: 'Be brief.', tools: definitions };
  const conversation = new Conversation(new ChatClient([url]), settings);
  const saved = new SavedChats(directory);
  const options = { saved, attachments: [], tools, runsToolsUnasked: false };
  const ended = runInteractiveChat(conversation, { input, output }, options);
  const sees = (text: string) => expect.poll(() => screen).toContain(text);
  return {
    ended,
    sees,
    type: (keys: string) => input.write(keys),
    enter: async (line: string, thenSees: string): Promise<void> => {
      screen = '';
      input.write(`${line}\r`);
      await sees(thenSees);
      // The prompt is back.
      await expect.poll(() => screen.slice(screen.lastIndexOf(thenSees))).toContain('> ');
    },
  };
}

/** Runs `expertmesh chat` with a question in its input. */
export async function pipe(question: string, flags: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, ['packages/cli/dist/main.js', 'chat', ...flags], {
    env: { PATH: process.env['PATH'], ...env },
  });
  child.stdin.end(question);
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr, exitCode] = await Promise.all([textOf(child.stdout), textOf(child.stderr), ended]);
  return { stdout, stderr, exitCode };
}
