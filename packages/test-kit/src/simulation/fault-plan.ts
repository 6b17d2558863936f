import { type SimulatedCluster } from './simulated-cluster.js';
import { type SimulatedCoordinator } from './simulated-coordinator.js';
import { type SimulatedProcess } from './simulated-process.js';
import { type SimulatedWorker } from './simulated-worker.js';
import { type Simulator } from './simulator.js';

/** What can go wrong, and what operators ask for meanwhile. */
export const FAULTS = ['network', 'partition', 'pause', 'clock', 'crash', 'disk', 'nats', 'operator'] as const;
export type Fault = (typeof FAULTS)[number];

const MAX_FAULTS = 8;
const LEADER_SHARE = 0.4;
const [LEAST_LASTING_MS, MOST_LASTING_MS] = [100, 6_000];

/** Has things go wrong at random moments of the next `durationMs`. */
export function planFaults(
  sim: Simulator,
  cluster: SimulatedCluster,
  durationMs: number,
  faults: readonly Fault[] = FAULTS,
): void {
  const numFaults = Math.floor(sim.between(1, MAX_FAULTS + 1));
  for (let index = 0; index < numFaults; index++) {
    const fault = sim.pick(faults);
    if (fault === undefined) return;
    sim.after(sim.between(0, durationMs), () => {
      ACTIONS[fault](sim, cluster, sim.between(LEAST_LASTING_MS, MOST_LASTING_MS));
    });
  }
}

/** Everything works from now on, but for workers that never come back: the others have room for all experts. */
export function heal(sim: Simulator, cluster: SimulatedCluster): void {
  cluster.network.heal();
  if (!cluster.nats.process.isRunning) cluster.nats.process.start();
  for (const worker of cluster.workers) worker.loadFailures = 0;
  const lost = sim.chance(0.3) && cluster.canLoseWorker ? sim.pick(cluster.workers) : undefined;
  if (lost?.process.isRunning === true) lost.crash();
  for (const member of [...cluster.workers, ...cluster.coordinators])
    if (!member.process.isRunning && member !== lost) member.start();
}

/** Takes back what operators have said of workers: with that, a cluster may have no room for its experts. */
export function acceptAll({ leaders, workers }: SimulatedCluster): void {
  const [leader] = leaders;
  for (const { workerId, process } of workers)
    if (process.isRunning && leader?.core?.store.admissions.workers[workerId] !== undefined)
      // Said again at the next look.
      leader.control?.uncordon({ workerId, actor: 'operator', untilRestart: false }).catch(() => undefined);
}

type Action = (sim: Simulator, cluster: SimulatedCluster, lastsMs: number) => void;

const ACTIONS: Readonly<Record<Fault, Action>> = {
  network: (sim, { network }, lastsMs) => {
    network.setFaults({ loss: sim.between(0, 0.05), duplication: sim.between(0, 0.2), delay: sim.between(0, 0.3) });
    sim.after(lastsMs, () => {
      network.calm();
    });
  },
  partition: (sim, cluster, lastsMs) => {
    const { network, processes } = cluster;
    const parted = processVictim(sim, cluster);
    const others = processes.filter((other) => other !== parted);
    const another = sim.pick(others);
    if (parted === undefined || another === undefined) return;
    const isTwoWay = sim.chance(0.5);
    const heldUntilMs = sim.chance(0.5) ? sim.nowMs + lastsMs : undefined;
    for (const other of sim.chance(0.5) ? others : [another]) {
      network.cut(parted, other, heldUntilMs);
      if (isTwoWay) network.cut(other, parted, heldUntilMs);
      sim.after(lastsMs, () => {
        network.mend(parted, other);
        if (isTwoWay) network.mend(other, parted);
      });
    }
  },
  pause: (sim, cluster, lastsMs) => {
    sim.pick(cluster.processes.filter(({ isRunning }) => isRunning))?.pause(lastsMs);
  },
  clock: (sim, cluster, lastsMs) => {
    processVictim(sim, cluster)?.jumpClock(lastsMs);
  },
  crash: (sim, { coordinators, workers, leaders }, lastsMs) => {
    const members = [...coordinators, ...workers, ...workers];
    const member = victim<SimulatedWorker | SimulatedCoordinator>(sim, leaders[0], members);
    if (member?.process.isRunning !== true) return;
    member.crash();
    if ('disk' in member && sim.chance(0.5)) member.disk.losePower();
    restartLater(sim, member, lastsMs);
  },
  disk: (sim, { coordinators, workers }, lastsMs) => {
    const coordinator = sim.pick(coordinators);
    const worker = sim.pick(workers);
    if (worker !== undefined && sim.chance(0.5)) worker.loadFailures = 0.5;
    else if (coordinator?.process.isRunning === true) {
      coordinator.crash();
      coordinator.disk.wipe();
      restartLater(sim, coordinator, lastsMs);
    }
    sim.after(lastsMs, () => {
      if (worker !== undefined) worker.loadFailures = 0;
    });
  },
  nats: (sim, { nats }, lastsMs) => {
    if (!nats.process.isRunning) return;
    nats.crash(sim.chance(0.6) ? Math.floor(sim.between(0, 20)) : 0);
    if (sim.chance(0.3)) nats.loseStore();
    sim.after(lastsMs, () => {
      if (!nats.process.isRunning) nats.process.start();
    });
  },
  operator: (sim, cluster) => {
    const control = cluster.leaders[0]?.control;
    const workerId = sim.pick(cluster.workers)?.workerId ?? '';
    const command = { workerId, actor: 'operator', untilRestart: sim.chance(0.3) };
    const asked = sim.pick(['drain', 'cordon', 'uncordon', 'remove', 'rebalance'] as const) ?? 'drain';
    if (control === undefined) return;
    sim.note('admin', `${asked} ${workerId}`);
    const done =
      asked === 'drain'
        ? consume(control.drain(command))
        : asked === 'rebalance'
          ? consume(control.rebalance({ plan: undefined, dryRun: false, actor: 'operator' }, NEVER))
          : control[asked](command);
    // What is refused is told to the operator.
    done.catch((error: unknown) => {
      sim.note('admin', `${asked} ${workerId}: ${String(error)}`);
    });
  },
};

const NEVER = new AbortController().signal;

/** Whoever leads is hit most often: most of what can go wrong goes wrong there. */
function victim<Member>(sim: Simulator, leader: Member | undefined, all: readonly Member[]): Member | undefined {
  return leader !== undefined && sim.chance(LEADER_SHARE) ? leader : sim.pick(all);
}

const processVictim = (sim: Simulator, { leaders, processes }: SimulatedCluster): SimulatedProcess | undefined =>
  victim(
    sim,
    leaders[0]?.process,
    processes.filter(({ isRunning }) => isRunning),
  );

function restartLater(sim: Simulator, member: SimulatedWorker | SimulatedCoordinator, delayMs: number): void {
  sim.after(delayMs, () => {
    if (!member.process.isRunning) member.start();
  });
}

async function consume(progress: AsyncIterable<{ readonly message: string }>): Promise<void> {
  for await (const { message } of progress) if (message === '') continue;
}
