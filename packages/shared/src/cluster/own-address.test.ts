import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { advertisedAddress, ownMemberId } from './own-address.js';

describe('advertisedAddress', () => {
  it.each([
    ['10.0.0.5', undefined, '10.0.0.5:9101'],
    ['0.0.0.0', undefined, `${hostname()}:9101`],
    ['::', undefined, `${hostname()}:9101`],
    ['0.0.0.0', 'box-1.lan', 'box-1.lan:9101'],
    ['::1', undefined, '[::1]:9101'],
    ['0.0.0.0', 'fd00::1', '[fd00::1]:9101'],
  ])('of a process that listens on %s and advertises %s is %s', (host, advertiseHost, address) => {
    expect(advertisedAddress({ host, advertiseHost }, 9101)).toBe(address);
  });
});

describe('ownMemberId', () => {
  it('is what was configured, or tells processes of one host apart by their ports', () => {
    expect(ownMemberId('box', 1)).toBe('box');
    expect(ownMemberId(undefined, 9101)).toBe(`${hostname()}-9101`);
  });
});
