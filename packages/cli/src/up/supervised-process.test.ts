import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { createLogger } from '@expertmesh/shared/process/logger';
import { type ListeningPorts } from '@expertmesh/shared/process/parent-link';
import { type Clock } from '@expertmesh/shared/rpc/clock';
import { type RoleProcess } from './role-process.js';
import { SupervisedProcess } from './supervised-process.js';

type Ports = ListeningPorts['worker'];

/** A process without an operating system: `die` ends it. */
class FakeProcess implements RoleProcess<'worker'> {
  readonly pid: number;
  readonly portsAsked: Ports | undefined;
  readonly listening: Promise<Ports>;
  readonly ended: Promise<string>;
  die: (how: string) => void = () => undefined;
  open: () => void = () => undefined;

  constructor(pid: number, portsAsked: Ports | undefined) {
    this.pid = pid;
    this.portsAsked = portsAsked;
    this.ended = new Promise((resolve) => (this.die = resolve));
    this.listening = new Promise((resolve, reject) => {
      this.open = () => {
        resolve(portsAsked ?? { dataPort: 40_000, controlPort: 40_001 });
      };
      void this.ended.then((how) => {
        reject(new ExpertmeshError('unavailable', how));
      });
    });
    this.listening.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.die('signal SIGTERM');
    await this.ended;
  }
}

/** Lets every delay pass at once, and keeps count. */
class FakeClock implements Clock {
  readonly delaysMs: number[] = [];
  #timeMs = 0;

  nowMs(): number {
    return this.#timeMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    this.delaysMs.push(delayMs);
    this.#timeMs += delayMs;
    callback();
    return () => undefined;
  }
}

function supervise() {
  const forked: FakeProcess[] = [];
  const clock = new FakeClock();
  const gaveUp: string[] = [];
  const supervised = new SupervisedProcess<'worker'>({
    name: 'worker 1',
    logger: createLogger({ name: 'test', level: 'silent' }),
    clock,
    fork: (ports) => {
      const process = new FakeProcess(forked.length + 1, ports);
      forked.push(process);
      return process;
    },
    onGiveUp: (error) => gaveUp.push(error.message),
  });
  return { supervised, forked, clock, gaveUp };
}

describe('SupervisedProcess', () => {
  it('starts a process that dies again, on the same ports', async () => {
    const { supervised, forked } = supervise();
    forked[0]?.open();
    expect(await supervised.listening).toEqual({ dataPort: 40_000, controlPort: 40_001 });
    forked[0]?.die('signal SIGKILL');
    await turn();
    expect(supervised.pid).toBe(2);
    expect(forked[1]?.portsAsked).toEqual({ dataPort: 40_000, controlPort: 40_001 });
  });

  it('does not start again what never came up', async () => {
    const { supervised, forked, gaveUp } = supervise();
    forked[0]?.die('exit code 1');
    await expect(supervised.listening).rejects.toThrow('exit code 1');
    await turn();
    expect(forked).toHaveLength(1);
    expect(gaveUp).toEqual([]);
  });

  it('gives up on a process that keeps failing quickly', async () => {
    const { forked, clock, gaveUp } = supervise();
    forked[0]?.open();
    await turn();
    // Grows while it is walked.
    for (const process of forked) {
      process.die('exit code 1');
      await turn();
    }
    expect(forked).toHaveLength(5);
    expect(clock.delaysMs).toEqual([500, 1000, 2000, 4000]);
    expect(gaveUp).toEqual(['worker 1 keeps failing (last with exit code 1): see its messages above']);
  });

  it('does not start again what is stopped', async () => {
    const { supervised, forked } = supervise();
    forked[0]?.open();
    await supervised.listening;
    await supervised.stop(new AbortController().signal);
    expect(forked).toHaveLength(1);
  });
});
