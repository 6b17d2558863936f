import { describe, expect, it } from 'vitest';
import { type ChatPart } from '../text/chat-part.js';
import { AnswerBlocks, type BlockEvent } from './answer-blocks.js';

function eventsOf(parts: readonly ChatPart[]): readonly BlockEvent[] {
  const blocks = new AnswerBlocks();
  return [...parts.flatMap((part) => blocks.push(part)), ...blocks.end()];
}

const shown = (event: BlockEvent): string =>
  `${event.type} ${String(event.index)} ${event.block.kind} ${event.type === 'delta' ? event.text : event.block.text}`;

describe('AnswerBlocks', () => {
  it('joins pieces of one kind, and closes a block before it opens the next', () => {
    const events = eventsOf([
      { kind: 'reasoning', text: 'h' },
      { kind: 'reasoning', text: 'm' },
      { kind: 'content', text: 'Adding.' },
      { kind: 'call_start', callIndex: 0, name: 'add' },
      { kind: 'call_arguments', callIndex: 0, text: '{"a"' },
      { kind: 'call_arguments', callIndex: 0, text: ': 1}' },
      { kind: 'call_start', callIndex: 1, name: 'now' },
      { kind: 'call_arguments', callIndex: 1, text: '{}' },
    ]);
    expect(events.map(shown)).toEqual([
      'open 0 reasoning ',
      'delta 0 reasoning h',
      'delta 0 reasoning m',
      'close 0 reasoning hm',
      'open 1 text ',
      'delta 1 text Adding.',
      'close 1 text Adding.',
      'open 2 call ',
      'delta 2 call {"a"',
      'delta 2 call : 1}',
      'close 2 call {"a": 1}',
      'open 3 call ',
      'delta 3 call {}',
      'close 3 call {}',
    ]);
    expect(new Set(events.map(({ block }) => block.id)).size).toBe(4);
  });

  it('has nothing to close in an empty answer', () => {
    expect(eventsOf([])).toEqual([]);
  });
});
