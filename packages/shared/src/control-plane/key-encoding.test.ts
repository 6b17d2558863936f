import { describe, expect, it } from 'vitest';
import { decodeKey, encodeKey } from './key-encoding.js';

describe('encodeKey', () => {
  it.each([
    ['worker/box-1', 'worker.box-1'],
    ['worker/box_1.lan:9101', 'worker.box_1=2elan=3a9101'],
    ['/a', '=2fa'],
    ['a//b/', 'a=2f=2fb=2f'],
    ['', '='],
    ['=', '=3d'],
    ['ö', '=c3=b6'],
    ['..', '=2e=2e'],
  ])('writes %j as %j, and back', (key, encoded) => {
    expect(encodeKey(key)).toBe(encoded);
    expect(decodeKey(encoded)).toBe(key);
  });

  const foreign = ['a..b', '.a', 'a/b', 'a=2fb', '=2', '=zz', '=41', 'a=', '=C3=B6', '=ff'];
  it.each(foreign)('never gives %j, which is no key then', (encoded) => {
    expect(decodeKey(encoded)).toBeUndefined();
  });
});
