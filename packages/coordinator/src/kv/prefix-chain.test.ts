import { describe, expect, it } from 'vitest';
import { PrefixChain, rootOfScope } from './prefix-chain.js';

const tokens = (count: number, change = -1): number[] =>
  Array.from({ length: count }, (_, index) => (index === change ? 9 : index % 7));

const names = (tokenIds: readonly number[], scope = {}): string[] =>
  [0, 1, 2].map((blockIndex) => new PrefixChain(rootOfScope(scope)).at(blockIndex, tokenIds));

describe('PrefixChain', () => {
  it('gives blocks equal names where all tokens up to their ends are equal, and others otherwise', () => {
    expect(names(tokens(100))).toEqual(names(tokens(96)));
    const changed = names(tokens(96, 40));
    expect(changed[0]).toBe(names(tokens(96))[0]);
    expect(changed[1]).not.toBe(names(tokens(96))[1]);
    expect(changed[2]).not.toBe(names(tokens(96))[2]);
  });

  it('tells equal blocks of one sequence apart', () => {
    expect(new Set(names(Array.from({ length: 96 }, () => 5))).size).toBe(3);
  });

  it('names the same tokens otherwise for another tenant or salt', () => {
    const scopes = [{}, { tenant: 'a' }, { tenant: 'b' }, { cacheSalt: 'a' }, { tenant: 'a', cacheSalt: 'b' }];
    expect(new Set(scopes.map((scope) => names(tokens(96), scope)[0])).size).toBe(5);
  });

  it('goes on from a fork as the sequence then does', () => {
    const chain = new PrefixChain(rootOfScope({}));
    chain.at(0, tokens(64));
    const fork = chain.fork();
    expect(fork.at(1, tokens(64, 50))).not.toBe(chain.at(1, tokens(64)));
    expect(fork.at(0, [])).toBe(chain.at(0, []));
  });
});
