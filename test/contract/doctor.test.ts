import { afterAll, describe, expect, it } from 'vitest';
import { ExpertmeshProcess, stopAll } from '@expertmesh/test-kit/process';
import { NO_VULKAN } from '@expertmesh/test-kit/software-vulkan';
import { tempDir } from '@expertmesh/test-kit/temp-dir';

interface Report {
  readonly checks: readonly {
    readonly name: string;
    readonly status: string;
    readonly detail: string;
    readonly probes?: Readonly<
      Record<string, { readonly type: string; readonly experts?: { readonly ms: number; readonly error: number } }>
    >;
  }[];
}

describe('expertmesh doctor', () => {
  afterAll(stopAll);

  it('tries every provider, with times, and needs only the CPU', async () => {
    Object.assign(process.env, NO_VULKAN);
    const doctor = ExpertmeshProcess.start(['doctor', '--json', '--cache-dir', tempDir()]);
    expect(await doctor.exited()).toBe(0);
    const { checks } = JSON.parse(doctor.output) as Report;
    const check = (name: string): Report['checks'][number] | undefined => checks.find((found) => found.name === name);
    const cpu = check('provider cpu');
    expect(cpu?.status).toBe('ok');
    expect(cpu?.detail).toMatch(/4 bits: experts [\d.]+ ms, dense [\d.]+ ms; 32 bits: experts [\d.]+ ms, dense/);
    for (const bits of ['32', '4']) {
      expect(cpu?.probes?.[bits]).toMatchObject({ type: 'works', experts: { error: 0 } });
      expect(cpu?.probes?.[bits]?.experts?.ms).toBeGreaterThan(0);
    }
    expect(check('provider webgpu')).toMatchObject({ status: 'note', probes: { '32': { type: 'failed' } } });
  });
});
