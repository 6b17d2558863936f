import { Counter, Gauge, Summary, type Registry } from 'prom-client';
import { type DispatchStats } from '../dispatch/dispatch-stats.js';

/** @param stats undefined until the engine has reported. */
export function registerDispatchMetrics(registry: Registry, stats: () => DispatchStats | undefined): void {
  registry.registerMetric(new RoundTrips(stats));
  new Gauge({
    name: 'expertmesh:placement_version',
    help: 'Version of the placement that this coordinator follows; 0 while there is none.',
    registers: [registry],
    collect() {
      this.set(stats()?.placementVersion ?? 0);
    },
  });
  new Counter({
    name: 'expertmesh:dispatch_bytes_total',
    help: 'Bytes of tensors sent to a worker and received from it, since its connection was opened.',
    labelNames: ['worker', 'direction'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { workerId: worker, sentBytes, receivedBytes } of stats()?.workers ?? []) {
        this.inc({ worker, direction: 'sent' }, sentBytes);
        this.inc({ worker, direction: 'received' }, receivedBytes);
      }
    },
  });
  new Counter({
    name: 'expertmesh:dispatch_failovers_total',
    help:
      'Calls to a worker that failed for this reason and were computed by another replica, ' +
      'or by this one when asked again.',
    labelNames: ['worker', 'reason'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { workerId: worker, reason, numFailovers } of stats()?.failovers ?? [])
        this.inc({ worker, reason }, numFailovers);
    },
  });
  registerIntegrityMetrics(registry, stats);
}

function registerIntegrityMetrics(registry: Registry, stats: () => DispatchStats | undefined): void {
  new Counter({
    name: 'expertmesh:wrong_answers_total',
    help: 'Answers of a worker that nothing was computed from: damaged, not_finite, mismatch, or drift of canary rows.',
    labelNames: ['worker', 'kind'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { workerId: worker, kind, numAnswers } of stats()?.wrongAnswers ?? [])
        this.inc({ worker, kind }, numAnswers);
    },
  });
  new Gauge({
    name: 'expertmesh:worker_quarantined',
    help: '1 for a worker that has answered wrongly and is asked only for what no other holds.',
    labelNames: ['worker'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { workerId: worker } of stats()?.quarantined ?? []) this.set({ worker }, 1);
    },
  });
  new Counter({
    name: 'expertmesh:dispatch_hedges_total',
    help: 'Calls to a worker that were late and sent to another replica as well, by who answered first.',
    labelNames: ['worker', 'first'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { workerId: worker, numHedges, numWon } of stats()?.hedges ?? []) {
        this.inc({ worker, first: 'other' }, numWon);
        this.inc({ worker, first: 'worker' }, numHedges - numWon);
      }
    },
  });
}

/** A summary of what the dispatcher has summed up already, instead of one that observes each call. */
class RoundTrips extends Summary<'worker'> {
  readonly #stats: () => DispatchStats | undefined;

  constructor(stats: () => DispatchStats | undefined) {
    super({
      name: 'expertmesh:dispatch_seconds',
      help: 'From sending a call to a worker to its answer, since its connection was opened.',
      labelNames: ['worker'],
      registers: [],
    });
    this.#stats = stats;
  }

  override async get(): ReturnType<Summary<'worker'>['get']> {
    const values = (this.#stats()?.workers ?? []).flatMap(({ workerId: worker, sumRoundTripMs, numAnswers }) => [
      { metricName: 'expertmesh:dispatch_seconds_sum', labels: { worker }, value: sumRoundTripMs / 1000 },
      { metricName: 'expertmesh:dispatch_seconds_count', labels: { worker }, value: numAnswers },
    ]);
    return { ...(await super.get()), values };
  }
}
