import { describe, expect, it } from 'vitest';
import { TenantShares } from './tenant-shares.js';

describe('TenantShares', () => {
  it('counts prompts once and answers twice', () => {
    const shares = new TenantShares();
    shares.join('a', []);
    shares.chargePrompt('a', 10);
    shares.chargeAnswer('a', 3);
    expect(shares.given('a')).toBe(16);
  });

  it('lifts who comes to the least of those who are there, so that nobody saves up', () => {
    const shares = new TenantShares();
    for (const tenant of ['a', 'b']) shares.join(tenant, []);
    shares.chargePrompt('a', 50);
    shares.chargePrompt('b', 70);
    shares.join('c', ['a', 'b']);
    expect(shares.given('c')).toBe(50);
  });

  it('forgets nothing of who comes back with more than others', () => {
    const shares = new TenantShares();
    for (const tenant of ['a', 'b']) shares.join(tenant, []);
    shares.chargePrompt('a', 50);
    shares.chargePrompt('b', 10);
    shares.join('a', ['b']);
    expect(shares.given('a')).toBe(50);
  });

  it('remembers 10,000 tenants, those that came last', () => {
    const shares = new TenantShares();
    for (let tenant = 0; tenant <= 10_000; tenant++) {
      shares.join(String(tenant), []);
      shares.chargePrompt(String(tenant), 1);
    }
    expect([shares.given('0'), shares.given('1'), shares.given('10000')]).toEqual([0, 1, 1]);
  });
});
