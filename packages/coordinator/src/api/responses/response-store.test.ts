import { describe, expect, it } from 'vitest';
import { type ResponseObject } from './response-object.js';
import { ResponseStore, type StoredResponse } from './response-store.js';

function stored(id: string, previousId?: string, owner?: string): StoredResponse {
  const response: ResponseObject = { id, object: 'response', status: 'completed', output: [] };
  const item = { type: 'message', id: `msg_${id}`, role: 'user', content: id } as const;
  return { response, owner, previousId, items: [item] };
}

const ROOMY = { maxResponses: 10, maxBytes: 10_000 };

describe('ResponseStore', () => {
  it('puts a conversation together from the responses that continue each other', () => {
    const store = new ResponseStore(ROOMY);
    store.put(stored('a'));
    store.put(stored('b', 'a'));
    store.put(stored('c', 'b'));
    expect(store.conversation('c', undefined).map(({ id }) => id)).toEqual(['msg_a', 'msg_b', 'msg_c']);
    store.delete('a', undefined);
    expect(() => store.conversation('c', undefined)).toThrow(/No response a is held.*which c continues/);
  });

  it('drops the end of the least recently used conversation first', () => {
    const store = new ResponseStore({ ...ROOMY, maxResponses: 3 });
    for (const entry of [stored('a'), stored('b', 'a'), stored('x')]) store.put(entry);
    store.conversation('b', undefined);
    store.put(stored('y'));
    expect(() => store.get('x', undefined)).toThrow('No response x is held');
    store.conversation('b', undefined);
    store.get('y', undefined);
    store.put(stored('z'));
    expect(() => store.get('b', undefined)).toThrow('No response b is held');
    expect(store.get('a', undefined).response.id).toBe('a');
  });

  it('is bounded in bytes, and gives them back', () => {
    const sizeBytes = Buffer.byteLength(JSON.stringify([stored('a').response, stored('a').items]));
    const store = new ResponseStore({ ...ROOMY, maxBytes: 2 * sizeBytes });
    for (const id of ['a', 'b', 'c']) store.put(stored(id));
    expect(store.sizeBytes).toBe(2 * sizeBytes);
    expect(() => store.get('a', undefined)).toThrow('No response a is held');
    store.delete('b', undefined);
    store.delete('c', undefined);
    expect(store.sizeBytes).toBe(0);
    const tiny = new ResponseStore({ ...ROOMY, maxBytes: sizeBytes - 1 });
    tiny.put(stored('a'));
    expect(tiny.sizeBytes).toBe(0);
  });

  it('shows a response to its owner only', () => {
    const store = new ResponseStore(ROOMY);
    store.put(stored('a', undefined, 'alice'));
    expect(() => store.get('a', 'bob')).toThrow('No response a is held');
    expect(() => store.conversation('a', undefined)).toThrow('No response a is held');
    const wanted = new Set(['msg_a', 'msg_b']);
    expect(store.items(wanted, 'bob').size).toBe(0);
    expect([...store.items(wanted, 'alice')]).toMatchObject([['msg_a', { content: 'a' }]]);
  });
});
