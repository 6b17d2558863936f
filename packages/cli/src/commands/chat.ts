import { DEFAULT_PORTS } from '@expertmesh/shared/config/default-ports';
import { Command, InvalidArgumentError, Option } from 'commander';
import { readAttachment } from '../chat/attachment.js';
import { ChatClient } from '../chat/chat-client.js';
import { type ChatOptions, sessionLines } from '../chat/chat-session.js';
import { Conversation } from '../chat/conversation.js';
import { runInteractiveChat } from '../chat/interactive-chat.js';
import { SavedChats, savedChatsDirectory } from '../chat/saved-chats.js';
import { printSingleAnswer } from '../chat/single-answer.js';
import { readToolFile } from '../chat/tool-file.js';
import { parseUrl } from './parse-url.js';

interface ChatFlags {
  readonly url: readonly [string, ...string[]];
  readonly apiKey?: string;
  readonly model?: string;
  readonly system?: string;
  readonly temperature?: number;
  readonly maxTokens?: number;
  readonly think: boolean;
  readonly attach: readonly string[];
  readonly tools?: string;
  readonly runTools: boolean;
  readonly session?: string;
  readonly sessions: boolean;
}

export function chatCommand(): Command {
  return new Command('chat')
    .description('Talk to a served model. Input from a pipe is one question, and only the answer is printed.')
    .addOption(
      new Option(
        '--url <url>',
        'The server; repeated, where others of its cluster go on with an answer that breaks off.',
      )
        .argParser(appendUrl)
        .default(DEFAULT_URLS, DEFAULT_URLS[0]),
    )
    .addOption(new Option('--api-key <key>', 'A key of the server, where it asks for one.').env('EXPERTMESH_API_KEY'))
    .option('--model <id>', 'The model. (default: the one that the server serves)')
    .option('--system <text>', 'Instructions that stand before the conversation.')
    .option(
      '--temperature <number>',
      '0 always takes the likeliest token. (default: as the model recommends)',
      parseNumber,
    )
    .option('--max-tokens <n>', 'Longest answer in tokens, thinking included. (default: what fits)', parseNumber)
    .option('--no-think', 'Answer without thinking first.')
    .option('--attach <file>', 'A text file that goes along with the first question; may be repeated.', append, [])
    .option('--tools <file>', 'Functions that the model may call, as JSON: see docs/chat.md.')
    .option('--run-tools', 'Run the commands of --tools without asking for each call.', false)
    .option('--session <name>', 'Go on with the conversation of this name, and save it after each answer.')
    .option('--sessions', 'List the saved conversations, and end.', false)
    .action(chat);
}

async function chat(flags: ChatFlags): Promise<void> {
  const saved = new SavedChats(savedChatsDirectory(process.env));
  if (flags.sessions) {
    process.stdout.write(await sessionLines(saved));
    return;
  }
  const options = await readOptions(flags, saved);
  const client = new ChatClient(flags.url, flags.apiKey);
  const conversation = new Conversation(client, {
    model: flags.model ?? (await client.firstModel()),
    system: flags.system,
    temperature: flags.temperature,
    maxTokens: flags.maxTokens,
    tools: flags.tools === undefined ? undefined : options.tools.map(({ definition }) => definition),
  });
  conversation.enableThinking = flags.think;
  const resumed = flags.session === undefined ? undefined : await saved.find(flags.session);
  if (resumed !== undefined) conversation.resume(resumed);
  const terminal = { input: process.stdin, output: process.stdout };
  if (process.stdin.isTTY) await runInteractiveChat(conversation, terminal, options);
  else await printSingleAnswer(conversation, terminal, options);
}

const readOptions = async (flags: ChatFlags, saved: SavedChats): Promise<ChatOptions> => ({
  saved,
  sessionName: flags.session,
  attachments: await Promise.all(flags.attach.map(readAttachment)),
  tools: flags.tools === undefined ? [] : await readToolFile(flags.tools),
  runsToolsUnasked: flags.runTools,
});

const DEFAULT_URLS = [`http://127.0.0.1:${String(DEFAULT_PORTS.http)}`] as const;

const appendUrl = (text: string, former: readonly string[]): readonly string[] =>
  former === DEFAULT_URLS ? [parseUrl(text)] : [...former, parseUrl(text)];

const append = (value: string, former: readonly string[]): readonly string[] => [...former, value];

function parseNumber(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('It must be a number.');
}
