/**
 * A process to measure the machine with: reads memory when told to, or sends back what it gets. Forked by
 * machine-limits.ts.
 */
import { createServer, type AddressInfo } from 'node:net';
import { READ_BYTES, type LimitAnswer, type LimitRole } from './limit-messages.js';
import { readKernel } from './read-kernel.js';

/** Long enough that readers that begin a little apart are together nearly all the time. */
const READ_MS = 400;

const { role } = JSON.parse(process.argv[2] ?? '') as { role: LimitRole };
process.on('disconnect', () => process.exit());
if (role === 'reader') serveReads();
else serveEcho();

function serveReads(): void {
  const { read } = readKernel(READ_BYTES);
  read(READ_BYTES);
  process.on('message', () => {
    const startMs = performance.now();
    let numPasses = 0;
    for (; performance.now() - startMs < READ_MS; numPasses++) read(READ_BYTES);
    const bytesPerSecond = (1000 * numPasses * READ_BYTES) / (performance.now() - startMs);
    answer({ kind: 'read', bytesPerSecond });
  });
  answer({ kind: 'ready' });
}

function serveEcho(): void {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.pipe(socket);
    socket.on('error', () => socket.destroy());
  });
  server.listen(0, '127.0.0.1', () => {
    answer({ kind: 'listening', port: (server.address() as AddressInfo).port });
  });
}

function answer(message: LimitAnswer): void {
  process.send?.(message);
}
