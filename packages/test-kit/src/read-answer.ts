import { type ChatPart } from '@expertmesh/coordinator/text/chat-part';
import { expect } from 'vitest';

/** An answer, put together from its parts. */
export interface ReadAnswer {
  readonly reasoning: string;
  readonly content: string;
  readonly calls: readonly (readonly [name: string, args: string])[];
}

/** A text, what it is to be read as, and whether it was cut by a limit. */
export interface AnswerCase {
  readonly text: string;
  readonly answer: Partial<ReadAnswer>;
  readonly isCut?: boolean;
  readonly startsInThinking?: boolean;
}

interface Parser {
  push(text: string): readonly ChatPart[];
  flush(options: { readonly isCut: boolean }): readonly ChatPart[];
}

/** What a text is read as, after checking that it does not depend on how it is cut. */
export function readAnswer(newParser: () => Parser, text: string, { isCut = false } = {}): ReadAnswer {
  const read = (pieces: readonly string[]): ReadAnswer => {
    const parser = newParser();
    return joined([...pieces.flatMap((piece) => parser.push(piece)), ...parser.flush({ isCut })]);
  };
  const whole = read([text]);
  expect(read(Array.from(text))).toEqual(whole);
  for (let cut = 1; cut < text.length; cut++) {
    expect(read([text.slice(0, cut), text.slice(cut)])).toEqual(whole);
  }
  return whole;
}

function joined(parts: readonly ChatPart[]): ReadAnswer {
  const answer = { reasoning: '', content: '', calls: [] as [string, string][] };
  for (const part of parts) {
    if (part.kind === 'call_start') answer.calls.push([part.name, '']);
    else if (part.kind === 'call_arguments') (answer.calls[part.callIndex] ?? ['', ''])[1] += part.text;
    else answer[part.kind] += part.text;
  }
  return answer;
}
