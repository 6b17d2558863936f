import { describe, expect, it } from 'vitest';
import { requireOffice } from './leadership.js';

describe('requireOffice', () => {
  it('says when the control plane is away, and else who is to be asked', () => {
    expect(() => requireOffice(undefined, 'away')).toThrow('the control plane is away: ask again when it is back');
    expect(() => requireOffice(undefined, 'connected')).toThrow(
      'this coordinator does not lead: ask the one that does',
    );
    const office = { epoch: 1, signal: new AbortController().signal };
    expect(requireOffice(office, 'connected')).toBe(office);
  });
});
