import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { UnfinishedBodies } from './unfinished-bodies.js';

const MEBIBYTE = Buffer.alloc(1024 * 1024);

function open() {
  const bodies = new UnfinishedBodies(1000);
  const failed: string[] = [];
  const begin = (name: string, ip: string) => {
    const body = new PassThrough();
    body.on('error', () => failed.push(name));
    bodies.count({ ip }, body);
    return body;
  };
  return { bodies, failed, begin };
}

const write = async (body: PassThrough, numMebibytes: number): Promise<void> => {
  for (let index = 0; index < numMebibytes; index++) body.write(MEBIBYTE);
  await new Promise(setImmediate);
};

it('has the oldest body of the machine that holds most give way', async () => {
  const { failed, begin, bodies } = open();
  const [first, honest] = [begin('first', 'stranger'), begin('honest', 'user')];
  await write(honest, 10);
  await write(first, 2);
  await write(begin('second', 'stranger'), 50);
  await write(begin('third', 'stranger'), 2);
  expect(failed).toEqual([]);
  await write(honest, 1);
  expect(failed).toEqual(['first']);
  await write(honest, 5);
  expect(failed).toEqual(['first', 'second']);
  expect(bodies.heldBytes).toBe(18 * MEBIBYTE.byteLength);
});

it('counts a body no longer when it has ended or is gone', async () => {
  const { begin, bodies } = open();
  const [ended, gone] = [begin('ended', 'a'), begin('gone', 'b')];
  await write(ended, 3);
  await write(gone, 4);
  ended.end();
  gone.destroy();
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(bodies.heldBytes).toBe(0);
});
