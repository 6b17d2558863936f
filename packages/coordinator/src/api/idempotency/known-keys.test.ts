import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
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

it('holds nothing of a request that has ended but its fingerprint', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const known = new KnownKeys(new DrivenClock());
  const begin = (key: string): { readonly body: WeakRef<object>; readonly end: () => void } => {
    const body = { text: 'of the request' };
    const end = known.begin({ key, fingerprint: 'body', resumes: false, end: () => body.text });
    return { body: new WeakRef(body), end };
  };
  const running = begin('running');
  const ended = begin('ended');
  ended.end();
  await sleep(0);
  collect();
  expect(running.body.deref()).toBeDefined();
  expect(ended.body.deref()).toBeUndefined();
  expect(() => known.begin({ key: 'ended', fingerprint: 'another', resumes: false, end: () => undefined })).toThrow();
});
