import { describe, expect, it } from 'vitest';
import { providerCheck } from './provider-checks.js';

const works = { type: 'works', experts: { ms: 1.5, error: 0 }, dense: { ms: 0.25, error: 4e-7 } } as const;
const failed = { type: 'failed', reason: 'no adapter' } as const;

describe('providerCheck', () => {
  it('states time and distance from the CPU of what works', () => {
    expect(providerCheck('webgpu', { '32': works })).toEqual({
      name: 'provider webgpu',
      status: 'ok',
      detail: '32 bits: experts 1.50 ms, dense 0.25 ms (off by 4e-7)',
      probes: { '32': works },
    });
  });

  it('says why a GPU is not usable and what may help', () => {
    const { status, detail } = providerCheck('webgpu', { '32': works, '4': failed });
    expect(status).toBe('note');
    expect(detail).toMatch(/^not usable here, with 4 bits: no adapter; install the driver/);
  });

  it('finds only the CPU indispensable', () => {
    expect(providerCheck('cpu', { '32': failed }).status).toBe('broken');
    expect(providerCheck('native', { '32': failed }).status).toBe('note');
  });
});
