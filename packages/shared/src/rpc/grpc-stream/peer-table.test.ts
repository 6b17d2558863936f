import { describe, expect, it } from 'vitest';
import { MAX_PARTIAL_BYTES, MAX_PEER_PARTIAL_BYTES, PARTIAL_TIMEOUT_MS } from '../../limits/limits.js';
import { PeerTable } from './peer-table.js';

const MAX_CONNECTIONS = 3;
const exhausted = expect.objectContaining({ code: 'resource_exhausted' }) as Error;

function openTable() {
  let nowMs = 0;
  const log: string[] = [];
  const table = new PeerTable(MAX_CONNECTIONS, () => nowMs);
  const connect = (name: string, { address = 'one', isTrusted = false } = {}) =>
    table.add({ address, isTrusted, close: () => log.push(`${name} closed`) });
  const stream = (name: string, peer: ReturnType<typeof connect>) =>
    peer.openStream(({ code }) => log.push(`${name} ${code}`));
  return { table, log, connect, stream, pass: (ms: number) => (nowMs += ms) };
}

describe('bytes of unfinished messages', () => {
  it('are bounded for each connection, that of a coordinator as well', () => {
    const { log, connect, stream } = openTable();
    for (const isTrusted of [true, false]) {
      const peer = connect(`trusted: ${String(isTrusted)}`, { isTrusted });
      const [first, second] = [stream('first', peer), stream('second', peer)];
      first.take(MAX_PEER_PARTIAL_BYTES - 1);
      second.take(1);
      expect(() => {
        second.take(1);
      }).toThrow(exhausted);
      first.giveBack(10);
      second.take(10);
    }
    expect(log).toEqual([]);
  });

  it('of all are bounded, and who holds most gives way, but never a coordinator', () => {
    const table = new PeerTable(10, () => 0);
    const failed: string[] = [];
    const open = (name: string, isTrusted = false) =>
      table.add({ address: name, isTrusted, close: () => undefined }).openStream(() => failed.push(name));
    open('coordinator', true).take(MAX_PEER_PARTIAL_BYTES);
    const share = MAX_PARTIAL_BYTES / 4;
    for (const name of ['a', 'b', 'c']) open(name).take(share - 1);
    open('most').take(share);
    const small = open('small');
    small.take(3);
    expect(failed).toEqual([]);
    small.take(1);
    expect(failed).toEqual(['most']);
    small.take(share - 4);
    expect(() => {
      small.take(1);
    }).toThrow(exhausted);
    expect(failed).toEqual(['most']);
  });

  it('are those of a machine, over however many connections it sends them', () => {
    const table = new PeerTable(100, () => 0);
    const failed: string[] = [];
    const open = (address: string) =>
      table.add({ address, isTrusted: false, close: () => undefined }).openStream(() => failed.push(address));
    const share = MAX_PARTIAL_BYTES / 64;
    for (let index = 0; index < 63; index++) open('many').take(share);
    const one = open('one');
    one.take(share);
    one.take(share);
    expect(failed).toEqual(['many']);
  });

  it('come within a time', () => {
    const { table, log, connect, stream, pass } = openTable();
    const [slow, late] = [stream('slow', connect('a')), stream('late', connect('b'))];
    slow.take(1);
    pass(PARTIAL_TIMEOUT_MS - 1);
    slow.take(1);
    late.take(1);
    table.dropSlow();
    expect(log).toEqual([]);
    pass(1);
    table.dropSlow();
    expect(log).toEqual(['slow deadline_exceeded']);
  });
});

describe('places', () => {
  it('go to the next one from a connection that has no stream, then from the one that is quiet for longest', () => {
    const { log, connect, stream, pass } = openTable();
    const [quiet, used] = [stream('quiet', connect('quiet')), stream('used', connect('used'))];
    connect('bare');
    quiet.noteMessage();
    pass(10);
    used.noteMessage();
    stream('next', connect('next'));
    expect(log).toEqual(['bare closed']);
    connect('another');
    expect(log).toEqual(['bare closed', 'quiet closed']);
  });

  it('are never taken from coordinators', () => {
    const { log, connect } = openTable();
    for (const name of ['a', 'b', 'c']) connect(name, { isTrusted: true });
    expect(() => connect('stranger')).toThrow(exhausted);
    expect(() => connect('d', { isTrusted: true })).toThrow(exhausted);
    expect(log).toEqual([]);
  });
});
