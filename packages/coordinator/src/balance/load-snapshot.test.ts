import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EmbeddedControlPlane } from '@expertmesh/shared/control-plane/embedded-control-plane';
import { describe, expect, it } from 'vitest';
import { DrivenClock } from '@expertmesh/test-kit/driven-clock';
import { delivered, monitorOptions, report, silent, Warnings } from '@expertmesh/test-kit/load-reports';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { ExpertLoadMonitor, type ExpertLoadMonitorOptions } from './expert-load-monitor.js';
import { LOADS_SUBJECT } from './load-exchange.js';

const PUBLISH_MS = 2000;
const SNAPSHOT_MS = 30_000;

const open = (overrides: Partial<ExpertLoadMonitorOptions> = {}): Promise<ExpertLoadMonitor> =>
  ExpertLoadMonitor.open(monitorOptions(overrides));

describe('what a monitor keeps over restarts', () => {
  it('goes on after a restart, and does not count again what it had heard', async () => {
    const controlPlane = new EmbeddedControlPlane(silent);
    const stateDir = join(tempDir(), 'state');
    const clock = new DrivenClock();
    const messages: Uint8Array[] = [];
    controlPlane.subscribe(LOADS_SUBJECT, (message) => messages.push(message));
    const other = await open({ controlPlane, clock, bootId: 'other' });
    const before = await open({ controlPlane, stateDir, bootId: 'before' });
    other.add(report(7, [2, 3]));
    clock.advance(PUBLISH_MS);
    await delivered();
    before.add(report(10));
    const statsBefore = before.stats('total', true);
    const recentBefore = before.stats('recent', true);
    await before.close();

    const after = await open({ controlPlane, stateDir, bootId: 'after' });
    expect(after.stats('total', true)).toEqual(statsBefore);
    expect(after.stats('recent', true)).toEqual(recentBefore);
    expect(statsBefore.numTokens).toBe(17);
    const [heard = new Uint8Array()] = messages;
    controlPlane.publish(LOADS_SUBJECT, heard);
    await delivered();
    expect(after.stats('total', false).numTokens).toBe(17);
    await Promise.all([after.close(), other.close()]);
  });

  it('writes a snapshot now and then, when there is news', async () => {
    const stateDir = join(tempDir(), 'state');
    const clock = new DrivenClock();
    const monitor = await open({ stateDir, clock });
    clock.advance(SNAPSHOT_MS);
    await monitor.written();
    expect(() => readdirSync(stateDir)).toThrow(/ENOENT/);
    monitor.add(report(10));
    clock.advance(SNAPSHOT_MS);
    await monitor.written();
    expect(readdirSync(stateDir)).toEqual(['expert-loads.bin']);
    const killed = await open({ stateDir });
    expect(killed.stats('total', false).numTokens).toBe(10);
    await Promise.all([monitor.close(), killed.close()]);
  });

  it.each([
    ['is damaged', (file: Buffer) => Buffer.from(file.map((byte, i) => (i === file.length - 3 ? byte ^ 1 : byte)))],
    ['is cut', (file: Buffer) => file.subarray(0, 40)],
    ['is another file', () => Buffer.from('hello')],
  ])('sets a snapshot aside that %s', async (_, change) => {
    const stateDir = tempDir();
    const good = await open({ stateDir });
    good.add(report(10));
    await good.close();
    const file = join(stateDir, 'expert-loads.bin');
    writeFileSync(file, change(readFileSync(file)));
    const warnings = new Warnings();
    const monitor = await open({ stateDir, logger: warnings.logger });
    expect(monitor.stats('total', false).numTokens).toBe(0);
    expect(readdirSync(stateDir)).toEqual(['expert-loads.bin.unusable']);
    expect(warnings.lines).toHaveLength(1);
    await monitor.close();
  });

  it('sets a snapshot of another store aside', async () => {
    const stateDir = tempDir();
    const other = await open({ stateDir, storeId: 'another' });
    other.add(report(10));
    await other.close();
    const warnings = new Warnings();
    const monitor = await open({ stateDir, logger: warnings.logger });
    expect(monitor.stats('total', false).numTokens).toBe(0);
    expect(warnings.lines[0]).toContain('another');
    await monitor.close();
  });

  it('warns and goes on where its directory cannot be written', async () => {
    const dir = tempDir();
    mkdirSync(join(dir, 'state', 'expert-loads.bin.new'), { recursive: true });
    const warnings = new Warnings();
    const monitor = await open({ stateDir: join(dir, 'state'), logger: warnings.logger });
    monitor.add(report(10));
    await monitor.close();
    expect(warnings.lines[0]).toContain('will not outlive this process');
  });
});
