import { spawn } from 'node:child_process';
import { type ChatTool } from './tool-file.js';

const TIMEOUT_MS = 60_000;
const MAX_OUTPUT_BYTES = 64 * 1024;

/**
 * Runs the command of a tool, which gets the arguments as JSON on its standard input. What it writes is the result; a
 * failure is one too, as the model should know of it.
 */
export async function runTool(
  command: NonNullable<ChatTool['command']>,
  argumentsJson: string,
  signal: AbortSignal,
): Promise<string> {
  const [program, ...args] = command;
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    signal: AbortSignal.any([signal, timeout]),
    killSignal: 'SIGKILL',
  });
  // A command need not read its arguments.
  child.stdin.on('error', () => undefined);
  child.stdin.end(argumentsJson);
  const output = new BoundedText();
  child.stdout.on('data', (bytes: Buffer) => {
    output.add(bytes);
  });
  child.stderr.on('data', (bytes: Buffer) => {
    output.add(bytes);
  });
  const failure = await new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => {
      resolve(timeout.aborted ? `no end after ${String(TIMEOUT_MS / 1000)} s` : error.message);
    });
    child.once('close', (code, killedBy) => {
      resolve(code === 0 ? undefined : `it ended with ${killedBy ?? String(code)}`);
    });
  });
  signal.throwIfAborted();
  return failure === undefined ? output.text : `Error: ${failure}\n${output.text}`.trimEnd();
}

/** The beginning of what a program writes. */
class BoundedText {
  readonly #pieces: Buffer[] = [];
  #sizeBytes = 0;

  add(bytes: Buffer): void {
    this.#pieces.push(bytes.subarray(0, Math.max(0, MAX_OUTPUT_BYTES - this.#sizeBytes)));
    this.#sizeBytes += bytes.length;
  }

  get text(): string {
    const text = Buffer.concat(this.#pieces).toString();
    return this.#sizeBytes <= MAX_OUTPUT_BYTES ? text : `${text}\n[cut: ${String(this.#sizeBytes)} bytes]`;
  }
}
