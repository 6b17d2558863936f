import { EmbeddedControlPlane } from '@expertmesh/shared/control-plane/embedded-control-plane';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { DrivenClock } from '@expertmesh/test-kit/driven-clock';
import { delivered, monitorOptions, report, silent, Warnings } from '@expertmesh/test-kit/load-reports';
import { planCluster, planWorker } from '@expertmesh/test-kit/planning-cases';
import { registerBalanceMetrics } from './balance-metrics.js';
import { ExpertLoadMonitor, type ExpertLoadMonitorOptions } from './expert-load-monitor.js';
import { LOADS_SUBJECT } from './load-exchange.js';

const PUBLISH_MS = 2000;

const open = (overrides: Partial<ExpertLoadMonitorOptions> = {}): Promise<ExpertLoadMonitor> =>
  ExpertLoadMonitor.open(monitorOptions(overrides));

describe('ExpertLoadMonitor', () => {
  it('tells how experts and workers were used in the last window', async () => {
    const monitor = await open();
    monitor.add(report(75, [0, 1]));
    monitor.add(report(25, [2, 1]));
    const stats = monitor.stats('window', true);
    expect(stats).toMatchObject({ numTokens: 100, numSteps: 2, numExperts: 4, topK: 2, numDeadExperts: 2 });
    expect(stats.layers[1]).toMatchObject({
      layerIndex: 1,
      tokens: [75, 100, 25, 0],
      activeSteps: [1, 2, 1, 0],
      coactivations: [0, 75, 0, 0, 75, 0, 25, 0, 0, 25, 0, 0, 0, 0, 0, 0],
      balancedness: 100 / 175,
    });
    expect(stats.balance).toMatchObject({
      meanBalancedness: 100 / 175,
      worstBalancedness: 100 / 175,
      workersPerToken: 1.25,
    });
    expect(stats.hottestExperts[0]).toMatchObject({ expertId: 1, share: 0.5, timesMean: 2, workerIds: ['a'] });
    expect([...monitor.workerShares('window')]).toEqual([
      ['a', 0.875],
      ['b', 0.125],
    ]);
    expect(monitor.loads('window')).toMatchObject({ numSteps: 2, layers: [{ layerIndex: 0 }, { layerIndex: 1 }] });
    await monitor.close();
  });

  it('weighs workers by their speed where that is known', async () => {
    const workers = [planWorker('a', 9, 3), planWorker('b', 9, 1)];
    const monitor = await open({ cluster: () => planCluster(workers) });
    monitor.add(report(75, [0, 1]));
    monitor.add(report(25, [2, 3]));
    expect(monitor.balance('window')).toMatchObject({ meanBalancedness: 100 / 150 });
    expect(monitor.balance('window').meanWeightedBalancedness).toBeCloseTo(1, 9);
    expect(monitor.balance('window').stepSeconds).toBeGreaterThan(0);
    await monitor.close();
  });

  it('calls back after each full window, with drift between two of them', async () => {
    const monitor = await open();
    const windows: number[] = [];
    monitor.onWindow(() => windows.push(monitor.tokensInWindow));
    for (let i = 0; i < 4; i++) monitor.add(report(30, [0, 1]));
    expect([windows, monitor.stats('window', false).drift]).toEqual([[120], 0]);
    for (let i = 0; i < 4; i++) monitor.add(report(25, [2, 1]));
    expect([windows, monitor.stats('window', false).drift]).toEqual([[120, 100], 0.5]);
    await monitor.close();
  });

  it('raises alarms after bad windows and clears them after good ones', async () => {
    const monitor = await open();
    const names = () => monitor.alarms().map(({ name }) => name);
    for (let i = 0; i < 2; i++) monitor.add(report(100, [0, 1]));
    expect(names()).toEqual([]);
    monitor.add(report(100, [0, 1]));
    expect(names()).toEqual(['low_balancedness', 'dead_experts']);
    expect(monitor.alarms()[0]).toMatchObject({ sinceMs: 1234 });
    for (let i = 0; i < 3; i++)
      for (const experts of [
        [0, 1],
        [2, 3],
        [0, 2],
        [1, 3],
      ] as const)
        monitor.add(report(25, experts));
    expect(names()).toEqual([]);
    await monitor.close();
  });

  it('adds up what coordinators count, each once', async () => {
    const controlPlane = new EmbeddedControlPlane(silent);
    const clock = new DrivenClock();
    const messages: Uint8Array[] = [];
    controlPlane.subscribe(LOADS_SUBJECT, (message) => messages.push(message));
    const first = await open({ controlPlane, clock, bootId: 'one' });
    const second = await open({ controlPlane, clock, bootId: 'two' });
    const totals = () => [first, second].map((monitor) => monitor.stats('total', false).numTokens);
    first.add(report(10));
    second.add(report(5, [2, 3]));
    clock.advance(PUBLISH_MS);
    await delivered();
    expect(totals()).toEqual([15, 15]);
    expect(second.stats('total', false).layers[0]?.tokens).toEqual([10, 10, 5, 5]);
    expect([...first.localTokens]).toEqual([
      ['a', 40],
      ['b', 0],
    ]);
    // Nothing new, so nothing is sent; and what comes again is not counted again.
    clock.advance(PUBLISH_MS);
    expect(messages).toHaveLength(2);
    for (const message of [...messages]) controlPlane.publish(LOADS_SUBJECT, message);
    await delivered();
    expect(totals()).toEqual([15, 15]);
    await Promise.all([first.close(), second.close()]);
  });

  it('keeps counts while the control plane is away and publishes them when it is back', async () => {
    const embedded = new EmbeddedControlPlane(silent);
    const link = { isAway: true };
    const controlPlane: ExpertLoadMonitorOptions['controlPlane'] = {
      get state() {
        return link.isAway ? 'away' : 'connected';
      },
      publish: (subject, payload) => {
        embedded.publish(subject, payload);
      },
      subscribe: (subject, listener) => embedded.subscribe(subject, listener),
    };
    const clock = new DrivenClock();
    const cut = await open({ controlPlane, clock, bootId: 'one' });
    const other = await open({ controlPlane: embedded, bootId: 'two' });
    for (let i = 0; i < 3; i++) {
      cut.add(report(10));
      clock.advance(PUBLISH_MS);
    }
    await delivered();
    expect(other.stats('total', false).numTokens).toBe(0);
    link.isAway = false;
    clock.advance(PUBLISH_MS);
    await delivered();
    expect(other.stats('total', false)).toMatchObject({ numTokens: 30, numSteps: 3 });
    await Promise.all([cut.close(), other.close()]);
  });

  it('says once that a coordinator with another store is not counted', async () => {
    const controlPlane = new EmbeddedControlPlane(silent);
    const clock = new DrivenClock();
    const warnings = new Warnings();
    const monitor = await open({ controlPlane, logger: warnings.logger });
    const stranger = await open({ controlPlane, clock, bootId: 'other', storeId: 'another' });
    for (let i = 0; i < 3; i++) {
      stranger.add(report(10));
      clock.advance(PUBLISH_MS);
      await delivered();
    }
    expect(monitor.stats('total', false).numTokens).toBe(0);
    expect(warnings.lines).toHaveLength(1);
    expect(warnings.lines[0]).toContain('another');
    await Promise.all([monitor.close(), stranger.close()]);
  });
});

describe('what machines read', () => {
  it('has few series as metrics: two balancedness figures, moves, and one counter a worker', async () => {
    const monitor = await open();
    const registry = new Registry();
    registerBalanceMetrics(registry, monitor, () => 3);
    monitor.add(report(75, [0, 1]));
    monitor.add(report(25, [2, 3]));
    for (let i = 0; i < 2; i++) {
      const text = await registry.metrics();
      expect(text).toContain(`expertmesh:expert_balancedness{stat="mean"} ${String(100 / 150)}`);
      expect(text).toContain('expertmesh:worker_expert_tokens_total{worker="a"} 300');
      expect(text).toContain('expertmesh:worker_expert_tokens_total{worker="b"} 100');
      expect(text).toContain('expertmesh:rebalance_moves_total 3\n');
    }
    await monitor.close();
  });
});
