import { SingleBar } from 'cli-progress';
import { formatBytes } from '@expertmesh/shared/expert-store/format-bytes';
import { RateMeter } from './rate-meter.js';

interface ByteProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** Where progress is shown; a bar needs a terminal, anything else gets lines. */
type ProgressStream = NodeJS.WritableStream & { readonly isTTY?: boolean };

/** A log file gets a line this often. */
const LINE_EVERY_MS = 5_000;

/**
 * Shows how far some work on bytes is, with rate and time left: as a bar on a terminal, else as a line every 5 s.
 * Silent until the first update; `stop` must be called, also after an error, as it gives the cursor back.
 */
export class ProgressBar {
  readonly #label: string;
  readonly #stream: ProgressStream;
  readonly #now: () => number;
  readonly #meter = new RateMeter();
  #bar: SingleBar | undefined;
  #nextLineAtMs: number | undefined;

  constructor(label = 'Packing', stream: ProgressStream = process.stderr, now: () => number = () => performance.now()) {
    this.#label = label;
    this.#stream = stream;
    this.#now = now;
  }

  update(progress: ByteProgress): void {
    const nowMs = this.#now();
    this.#meter.add(nowMs, progress.doneBytes);
    if (this.#stream.isTTY === true) this.#updateBar(progress);
    else this.#updateLines(progress, nowMs);
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }

  #updateBar({ doneBytes, totalBytes }: ByteProgress): void {
    if (this.#bar === undefined) {
      const format = `${this.#label} [{bar}] {percentage} % of ${formatBytes(totalBytes)}{speed}`;
      this.#bar = new SingleBar({ format, stream: this.#stream, barsize: 30, fps: 5, hideCursor: true });
      this.#bar.start(totalBytes, doneBytes, { speed: '' });
    }
    this.#bar.update(doneBytes, { speed: this.#speed(totalBytes) });
  }

  #updateLines({ doneBytes, totalBytes }: ByteProgress, nowMs: number): void {
    this.#nextLineAtMs ??= nowMs + LINE_EVERY_MS;
    if (nowMs < this.#nextLineAtMs) return;
    this.#nextLineAtMs = nowMs + LINE_EVERY_MS;
    const percentage = Math.floor((100 * doneBytes) / totalBytes);
    this.#stream.write(
      `${this.#label} ${String(percentage)} % of ${formatBytes(totalBytes)}${this.#speed(totalBytes)}\n`,
    );
  }

  #speed(totalBytes: number): string {
    const rate = this.#meter.bytesPerSecond;
    const secondsLeft = this.#meter.secondsLeft(totalBytes);
    if (rate === undefined || secondsLeft === undefined) return '';
    return `, ${formatBytes(Math.round(rate))}/s, ${formatDuration(secondsLeft)} left`;
  }
}

/** A time for people, in its two largest units: `45 s`, `2 min 05 s`, `3 h 07 min`. */
export function formatDuration(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${String(whole)} s`;
  if (whole < 3600) return `${String(Math.floor(whole / 60))} min ${twoDigits(whole % 60)} s`;
  return `${String(Math.floor(whole / 3600))} h ${twoDigits(Math.floor((whole % 3600) / 60))} min`;
}

const twoDigits = (value: number): string => String(value).padStart(2, '0');
