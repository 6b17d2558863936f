import { text } from 'node:stream/consumers';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { answerCalls } from './answer-calls.js';
import { withAttachments } from './attachment.js';
import { type ChatOptions } from './chat-session.js';
import { type Conversation } from './conversation.js';
import { type Terminal } from './interactive-chat.js';

/**
 * Takes the whole input as one question and prints the answer alone, for pipes and scripts.
 *
 * @throws ExpertmeshError `invalid_argument` for an empty input, and what the server answers with.
 */
export async function printSingleAnswer(
  conversation: Conversation,
  { input, output }: Terminal,
  { saved, sessionName, attachments, tools, runsToolsUnasked: runsUnasked }: ChatOptions,
): Promise<void> {
  const question = (await text(input)).trim();
  if (question === '') throw new ExpertmeshError('invalid_argument', 'The input is empty: pipe a question in');
  const answerCall = answerCalls({ tools, runsUnasked });
  const content = withAttachments(question, attachments);
  for await (const event of conversation.ask(content, new AbortController().signal, answerCall)) {
    if (event.kind === 'content') output.write(event.text);
  }
  output.write('\n');
  if (sessionName !== undefined) await saved.save(sessionName, conversation.messages);
}
