import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { NetworkNamespaces, type NetworkNamespace } from './network-namespace.js';

const RATE_MBIT = 100;
const SIZE_BYTES = 5e6;
const PORT = 7000;

const RECEIVER = `require('net').createServer((socket) => socket.on('end', () => socket.end('done')).resume())
  .listen(${String(PORT)}, () => console.log('listening'))`;
const sender = (address: string): string => `const start = performance.now();
  require('net').connect(${String(PORT)}, '${address}').end(Buffer.alloc(${String(SIZE_BYTES)}))
    .on('data', () => console.log(performance.now() - start))`;

it.skipIf(!areAllowed())('joins boxes by links of the given rate, and leaves nothing behind', async () => {
  const namespaces = NetworkNamespaces.create(2, RATE_MBIT);
  const [a, b] = namespaces.boxes;
  if (a === undefined || b === undefined) throw new Error('two boxes were asked for');
  const receiver = node(b, RECEIVER);
  try {
    await firstLine(receiver);
    const idealMs = (8 * SIZE_BYTES) / (RATE_MBIT * 1000);
    const elapsedMs = Number(await firstLine(node(a, sender(b.address))));
    // A burst may pass at once.
    expect(elapsedMs).toBeGreaterThan(0.8 * idealMs);
    expect(elapsedMs).toBeLessThan(3 * idealMs);
  } finally {
    receiver.kill();
    await once(receiver, 'exit');
    namespaces.close();
  }
  expect(spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' }).stdout).not.toContain(`em${String(process.pid)}`);
});

function areAllowed(): boolean {
  try {
    NetworkNamespaces.create(1, RATE_MBIT).close();
    return true;
  } catch {
    return false;
  }
}

function node({ prefix }: NetworkNamespace, program: string): ChildProcess {
  return spawn('env', [...prefix, process.execPath, '--eval', program], { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function firstLine({ stdout }: ChildProcess): Promise<string> {
  if (stdout === null) throw new Error('the process has no stdout');
  const [bytes] = (await once(stdout, 'data')) as [Buffer];
  return bytes.toString().trim();
}
