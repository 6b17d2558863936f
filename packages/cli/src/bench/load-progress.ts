import { type RequestRecord } from './run-load.js';

/** A log file gets a line this often. */
const LINE_EVERY_MS = 5_000;

/** Says on stderr how far a load is: on a terminal in a line that is rewritten, else in a line every 5 s. */
export class LoadProgress {
  readonly #numRequests: number;
  readonly #label: string;
  #numEnded = 0;
  #numFailed = 0;
  #nextLineAtMs = performance.now() + LINE_EVERY_MS;

  constructor(concurrency: number, numRequests: number) {
    this.#label = `concurrency ${String(concurrency)}`;
    this.#numRequests = numRequests;
    if (process.stderr.isTTY) this.#rewrite();
  }

  add({ outcome }: RequestRecord): void {
    this.#numEnded += 1;
    if (outcome !== 'done') this.#numFailed += 1;
    if (process.stderr.isTTY) this.#rewrite();
    else if (performance.now() >= this.#nextLineAtMs) {
      this.#nextLineAtMs = performance.now() + LINE_EVERY_MS;
      process.stderr.write(`${this.#text()}\n`);
    }
  }

  /** Takes the line away. */
  stop(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  }

  #rewrite(): void {
    process.stderr.write(`\r\u001b[K${this.#text()}`);
  }

  #text(): string {
    const failed = this.#numFailed === 0 ? '' : `, ${String(this.#numFailed)} without an answer`;
    return `${this.#label}: ${String(this.#numEnded)} of ${String(this.#numRequests)} requests${failed}`;
  }
}
