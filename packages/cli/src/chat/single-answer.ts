import { text } from 'node:stream/consumers';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type Conversation } from './conversation.js';
import { type Terminal } from './interactive-chat.js';

/**
 * Takes the whole input as one question and prints the answer alone, for pipes and scripts.
 *
 * @throws ExpertmeshError `invalid_argument` for an empty input, and what the server answers with.
 */
export async function printSingleAnswer(conversation: Conversation, { input, output }: Terminal): Promise<void> {
  const question = (await text(input)).trim();
  if (question === '') throw new ExpertmeshError('invalid_argument', 'The input is empty: pipe a question in');
  for await (const event of conversation.ask(question, new AbortController().signal)) {
    if (event.kind === 'content') output.write(event.text);
  }
  output.write('\n');
}
