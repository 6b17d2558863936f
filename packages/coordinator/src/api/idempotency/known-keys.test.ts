import { expect, it } from 'vitest';
import { type ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { DrivenClock } from '@expertmesh/test-kit/driven-clock';
import { KnownKeys } from './known-keys.js';

function setUp() {
  const clock = new DrivenClock();
  const known = new KnownKeys(clock);
  const ended: string[] = [];
  const begin = (key: string, fingerprint: string, resumes = false): (() => void) =>
    known.begin({ key, fingerprint, resumes, end: ({ code }: ExpertmeshError) => ended.push(`${key} ${code}`) });
  return { clock, begin, ended };
}

it('refuses a key whose request is still answered, unless it goes on with the answer', () => {
  const { begin, ended } = setUp();
  begin('k', 'body');
  expect(() => begin('k', 'body')).toThrow(/still being answered here/);
  expect(ended).toEqual([]);
  const end = begin('k', 'body', true);
  expect(ended).toEqual(['k cancelled']);
  end();
  begin('k', 'body');
});

it('refuses a key with another body for ten minutes after the end of its request', () => {
  const { clock, begin } = setUp();
  begin('k', 'body')();
  clock.advance(599_000);
  expect(() => begin('k', 'another', true)).toThrow(/came with another request before/);
  clock.advance(2_000);
  begin('other', 'body');
  begin('k', 'another');
});

it('forgets the oldest that has ended where there are too many, and none that is answered', () => {
  const { begin } = setUp();
  begin('first', 'body');
  begin('second', 'body')();
  for (let index = 0; index < 10_000; index++) begin(`k${String(index)}`, 'body')();
  begin('second', 'another');
  expect(() => begin('first', 'another')).toThrow(/came with another request/);
});
