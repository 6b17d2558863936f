import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { readEventStream } from './event-stream-reader.js';

const BODY = new TextEncoder().encode(
  ': keep-alive\n\ndata: {"a": "🦜"}\n\nevent: x\ndata: {"b":\ndata: 1}\n\ndata: [DONE]\n\ndata: late\n\n',
);

async function read(pieces: readonly Uint8Array[]): Promise<string[]> {
  const events: string[] = [];
  for await (const event of readEventStream(Readable.from(pieces))) events.push(event);
  return events;
}

describe('readEventStream', () => {
  it('gives the data of each event up to [DONE], however the bytes are cut', async () => {
    for (let cut = 0; cut <= BODY.length; cut++) {
      expect(await read([BODY.slice(0, cut), BODY.slice(cut)])).toEqual(['{"a": "🦜"}', '{"b":\n1}']);
    }
  });

  it('gives no event that was cut', async () => {
    expect(await read([new TextEncoder().encode('data: 1\n\ndata: 2')])).toEqual(['1']);
  });
});
