/** The process behind DelayProxy: forwards TCP connections and gives every piece on after the same delay, in order. */
import { createServer, connect, type Server, type Socket } from 'node:net';
import { setPriority } from 'node:os';
import { DelayClock, nowUs } from './delay-clock.js';
import { type DelayProxyAnswer, type DelayProxyOrder, type DelayProxySettings } from './delay-proxy.js';

/** What may be given on this much before its time, rather than wait for another wake-up. */
const EARLY_US = 15;
const HIGHEST_PRIORITY = -20;

const settings = JSON.parse(process.argv[2] ?? '') as DelayProxySettings;
let delayUs = settings.delayMs * 1000;
/**
 * What is under way in both directions of all connections; the delay is the same for all, so they end in this order.
 */
const inTransit: { readonly dueUs: number; readonly deliver: () => void }[] = [];
let firstInTransit = 0;
const clock = new DelayClock(deliverDue);

try {
  setPriority(HIGHEST_PRIORITY);
} catch {
  // Only root may; without it, a busy machine makes the delays longer.
}
await Promise.all(settings.routes.map(listen));
process.on('message', ({ delayMs }: DelayProxyOrder) => {
  delayUs = delayMs * 1000;
  answer('delay set');
});
process.on('disconnect', () => process.exit());
answer('listening');

function listen({ from, to }: DelayProxySettings['routes'][number]): Promise<Server> {
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    const target = connect({ ...to, noDelay: true, allowHalfOpen: true });
    forward(client, target);
    forward(target, client);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(from.port, from.host, () => {
      resolve(server);
    });
  });
}

function forward(source: Socket, sink: Socket): void {
  source.on('data', (bytes) => {
    transmit(() => {
      // A sink that is slower than its source must not fill the memory.
      if (sink.write(bytes) || source.isPaused()) return;
      source.pause();
      sink.once('drain', () => source.resume());
    });
  });
  source.on('end', () => {
    transmit(() => sink.end());
  });
  source.on('error', () => sink.destroy());
  source.on('close', () => {
    transmit(() => sink.destroySoon());
  });
}

function transmit(deliver: () => void): void {
  // A delay that was made shorter must not let later pieces overtake earlier ones.
  const dueUs = Math.max(nowUs() + delayUs, inTransit.at(-1)?.dueUs ?? 0);
  inTransit.push({ dueUs, deliver });
  if (inTransit.length - firstInTransit === 1) clock.wakeAt(dueUs);
}

function deliverDue(): void {
  for (let next = inTransit[firstInTransit]; next !== undefined; next = inTransit[firstInTransit]) {
    if (next.dueUs - nowUs() > EARLY_US) {
      clock.wakeAt(next.dueUs);
      break;
    }
    firstInTransit += 1;
    next.deliver();
  }
  inTransit.splice(0, firstInTransit);
  firstInTransit = 0;
}

function answer(message: DelayProxyAnswer): void {
  process.send?.(message);
}
