import { expect, it } from 'vitest';
import { type ChunkDelta, HeardAnswer } from './heard-answer.js';

const call = (index: number, id: string, args: string): ChunkDelta => ({
  tool_calls: [{ index, id, type: 'function', function: { name: 'add', arguments: args } }],
});
const more = (index: number, args: string): ChunkDelta => ({ tool_calls: [{ index, function: { arguments: args } }] });

function hear(answer: HeardAnswer, deltas: readonly ChunkDelta[]): readonly ChunkDelta[] {
  answer.beginStream();
  return deltas.flatMap((delta) => answer.news(delta) ?? []);
}

it('passes on what is new of a stream that begins anew, and nothing twice', () => {
  const answer = new HeardAnswer();
  expect(hear(answer, [{ role: 'assistant', content: '' }, { reasoning: 'hm' }, { content: 'one tw' }])).toHaveLength(
    3,
  );
  expect(
    hear(answer, [{ role: 'assistant', content: '' }, { reasoning: 'hm' }, { content: 'one two' }, { content: ' 3' }]),
  ).toEqual([{ content: 'o' }, { content: ' 3' }]);
});

it('keeps the ids that calls had first', () => {
  const answer = new HeardAnswer();
  hear(answer, [call(0, 'a', ''), more(0, '{"x"')]);
  expect(hear(answer, [call(0, 'b', ''), more(0, '{"x": 1}'), call(1, 'c', '{')])).toEqual([
    more(0, ': 1}'),
    call(1, 'c', '{'),
  ]);
});

it('has the tokens of the stream that told most of them', () => {
  const answer = new HeardAnswer();
  answer.beginStream();
  answer.hearTokens([1, 2]);
  answer.hearTokens([3]);
  answer.beginStream();
  answer.hearTokens([1, 2]);
  expect(answer.tokenIds).toEqual([1, 2, 3]);
  answer.hearTokens([3, 4]);
  expect(answer.tokenIds).toEqual([1, 2, 3, 4]);
});
