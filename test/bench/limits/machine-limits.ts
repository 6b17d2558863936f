import { type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readSync } from 'node:fs';
import { connect } from 'node:net';
import { loadKernels } from '@expertmesh/kernels/kernels';
import { GraphBuilder } from '@expertmesh/shared/onnx/graph-builder';
import { createOnnxSession } from '@expertmesh/shared/onnx/session';
import { quantile } from 'expertmesh/bench/quantiles';
import { forkTypescript } from '@expertmesh/test-kit/fork-typescript';
import { READ_BYTES, type LimitAnswer, type LimitRole } from './limit-messages.js';

const NUM_ROUND_TRIPS = 500;
const PAYLOAD_BYTES = 4096;
const PIECE_BYTES = 1024 * 1024;

/** What this machine does at best, measured in the same run as everything else. */
export class MachineLimits {
  readonly #readers: readonly ChildProcess[];
  readonly #echo: ChildProcess;
  readonly #echoPort: number;

  private constructor(readers: readonly ChildProcess[], echo: ChildProcess, echoPort: number) {
    this.#readers = readers;
    this.#echo = echo;
    this.#echoPort = echoPort;
  }

  /** Starts the processes that are measured with: one reader of memory for each thread, and an echo. */
  static async start(numThreads: number): Promise<MachineLimits> {
    const fork = (role: LimitRole): ChildProcess =>
      forkTypescript(new URL('./limit-process.ts', import.meta.url), { role });
    const readers = Array.from({ length: numThreads }, () => fork('reader'));
    const echo = fork('echo');
    const [echoReady] = await Promise.all([echo, ...readers].map(answerOf));
    if (echoReady?.kind !== 'listening') throw new Error('the echo process did not say where it listens');
    return new MachineLimits(readers, echo, echoReady.port);
  }

  /**
   * Bytes a second that this many threads read from memory together: the best of WebAssembly and, where they are built,
   * our kernels.
   */
  async readBytesPerSecond(numThreads: number): Promise<number> {
    const readers = this.#readers.slice(0, numThreads);
    const answers = readers.map(answerOf);
    for (const reader of readers) reader.send('read');
    const rates = (await Promise.all(answers)).map((answer) => (answer.kind === 'read' ? answer.bytesPerSecond : NaN));
    const together = rates.reduce((sum, rate) => sum + rate, 0);
    return Math.max(together, await nativeReadBytesPerSecond(numThreads));
  }

  /** Microseconds that 4 KiB take to another process on this machine and back, p50. */
  async loopbackRoundTripUs(): Promise<number> {
    const socket = connect({ host: '127.0.0.1', port: this.#echoPort, noDelay: true });
    await once(socket, 'connect');
    const payload = Buffer.alloc(PAYLOAD_BYTES);
    const timesUs: number[] = [];
    for (let i = 0; i < NUM_ROUND_TRIPS; i++) {
      const startMs = performance.now();
      socket.write(payload);
      for (let leftBytes = PAYLOAD_BYTES; leftBytes > 0;) {
        const [bytes] = (await once(socket, 'data')) as [Buffer];
        leftBytes -= bytes.byteLength;
      }
      timesUs.push((performance.now() - startMs) * 1000);
    }
    socket.destroy();
    return quantile(timesUs, 0.5) ?? NaN;
  }

  stop(): void {
    for (const child of [this.#echo, ...this.#readers]) child.kill('SIGKILL');
  }
}

/** 0 where the kernels are not built. */
async function nativeReadBytesPerSecond(numThreads: number): Promise<number> {
  const pool = loadKernels()?.createPool({ numThreads });
  if (pool === undefined) return 0;
  try {
    return await pool.readBandwidth(READ_BYTES);
  } finally {
    await pool.close();
  }
}

/**
 * Bytes a second at which one thread copies a file out of the page cache: it is read twice, and the second time counts.
 */
export function fileCopyBytesPerSecond(file: string): number {
  readWhole(file);
  const startMs = performance.now();
  const sizeBytes = readWhole(file);
  return (1000 * sizeBytes) / (performance.now() - startMs);
}

/** Reads a file into the page cache. @returns its size in bytes. */
export function readWhole(file: string): number {
  const fd = openSync(file, 'r');
  const piece = Buffer.alloc(PIECE_BYTES);
  let sizeBytes = 0;
  for (let numBytes = 1; numBytes > 0; sizeBytes += numBytes) numBytes = readSync(fd, piece, 0, PIECE_BYTES, null);
  closeSync(fd);
  return sizeBytes;
}

/** Floating-point operations a second of a large fp32 matrix product by ONNX Runtime. */
export async function matrixProductFlops(numThreads: number): Promise<number> {
  const [rows, inner, columns] = [512, 2048, 2048];
  const graph = new GraphBuilder('product');
  const a = graph.input('a', 'float32', [rows, inner]);
  const b = graph.input('b', 'float32', [inner, columns]);
  graph.output('c', 'float32', [rows, columns], graph.op('MatMul', [a, b]));
  const session = await createOnnxSession(graph.build(), { numThreads });
  const feeds = {
    a: { type: 'float32', dims: [rows, inner], data: new Float32Array(rows * inner).fill(1) },
    b: { type: 'float32', dims: [inner, columns], data: new Float32Array(inner * columns).fill(1) },
  } as const;
  let bestMs = Infinity;
  for (let i = 0; i < 5; i++) {
    const startMs = performance.now();
    await session.run(feeds);
    bestMs = Math.min(bestMs, performance.now() - startMs);
  }
  await session.release();
  return (2 * rows * inner * columns) / (bestMs / 1000);
}

async function answerOf(child: ChildProcess): Promise<LimitAnswer> {
  const [message] = (await once(child, 'message')) as [LimitAnswer];
  return message;
}
