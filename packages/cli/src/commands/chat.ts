import { DEFAULT_PORTS } from '@expertmesh/shared/config/default-ports';
import { Command, InvalidArgumentError } from 'commander';
import { ChatClient } from '../chat/chat-client.js';
import { Conversation } from '../chat/conversation.js';
import { runInteractiveChat } from '../chat/interactive-chat.js';
import { printSingleAnswer } from '../chat/single-answer.js';
import { parseUrl } from './parse-url.js';

interface ChatFlags {
  readonly url: string;
  readonly model?: string;
  readonly system?: string;
  readonly temperature?: number;
  readonly maxTokens?: number;
  readonly think: boolean;
}

export function chatCommand(): Command {
  return new Command('chat')
    .description('Talk to a served model. Input from a pipe is one question, and only the answer is printed.')
    .option('--url <url>', 'The server.', parseUrl, `http://127.0.0.1:${String(DEFAULT_PORTS.http)}`)
    .option('--model <id>', 'The model. (default: the one that the server serves)')
    .option('--system <text>', 'Instructions that stand before the conversation.')
    .option(
      '--temperature <number>',
      '0 always takes the likeliest token. (default: as the model recommends)',
      parseNumber,
    )
    .option('--max-tokens <n>', 'Longest answer in tokens, thinking included. (default: what fits)', parseNumber)
    .option('--no-think', 'Answer without thinking first.')
    .action(chat);
}

async function chat(flags: ChatFlags): Promise<void> {
  const client = new ChatClient(flags.url);
  const conversation = new Conversation(client, { ...flags, model: flags.model ?? (await client.firstModel()) });
  conversation.enableThinking = flags.think;
  const terminal = { input: process.stdin, output: process.stdout };
  if (process.stdin.isTTY) await runInteractiveChat(conversation, terminal);
  else await printSingleAnswer(conversation, terminal);
}

function parseNumber(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('It must be a number.');
}
