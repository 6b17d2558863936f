// A thread that does nothing but wait until a moment and then wake its parent: Atomics.wait is 0.1 ms exact where the
// timers of an event loop are 1 ms exact. In JavaScript, as a thread cannot be started from TypeScript without a build.
// See delay-clock.ts.
import { parentPort, workerData } from 'node:worker_threads';

const { due, turn } = workerData;
const nowUs = () => Number(process.hrtime.bigint() / 1000n);

for (;;) {
  const seenTurn = Atomics.load(turn, 0);
  const dueUs = Number(Atomics.load(due, 0));
  if (dueUs === 0) Atomics.wait(turn, 0, seenTurn);
  else if (nowUs() < dueUs) Atomics.wait(turn, 0, seenTurn, (dueUs - nowUs()) / 1000);
  else {
    Atomics.store(due, 0, 0n);
    parentPort.postMessage(undefined);
  }
}
