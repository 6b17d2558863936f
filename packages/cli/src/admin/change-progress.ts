import { SingleBar } from 'cli-progress';
import { progressJson } from '@expertmesh/shared/admin/admin-json';
import { ExpertmeshError, type ErrorCode } from '@expertmesh/shared/errors/expertmesh-error';
import { formatBytes } from '@expertmesh/shared/expert-store/format-bytes';
import { ChangeProgress_State as State, type ChangeProgress } from '@expertmesh/shared/gen/expertmesh/v1/admin';

type ProgressStream = NodeJS.WritableStream & { readonly isTTY?: boolean };

export interface FollowOptions {
  readonly stream?: ProgressStream;
  /** Print each message as a line of JSON on stdout instead. */
  readonly asJson?: boolean;
  /** Told the first message, which has the plan. */
  readonly onPlan?: (progress: ChangeProgress) => void;
}

/** How an answer breaks off while the change goes on; with any other error the coordinator has ended it. */
const LEFT_TO_ITSELF: readonly ErrorCode[] = ['cancelled', 'unavailable', 'deadline_exceeded'];

/**
 * Shows a change of placement until its end: as a bar with layers and bytes on a terminal, else a line whenever
 * something new is told.
 *
 * @returns the last message: done or not needed.
 * @throws ExpertmeshError `failed_precondition` where the change was taken back, with the reason; `cancelled` where it
 * was left to itself.
 */
export async function followChange(
  changes: AsyncIterable<ChangeProgress>,
  { stream = process.stderr, asJson = false, onPlan }: FollowOptions = {},
): Promise<ChangeProgress> {
  const display = asJson ? undefined : stream.isTTY === true ? new Bar(stream) : new Lines(stream);
  let last: ChangeProgress | undefined;
  try {
    for await (const progress of changes) {
      if (last === undefined) onPlan?.(progress);
      if (asJson) process.stdout.write(`${JSON.stringify(progressJson(progress))}\n`);
      // Of a change that is not needed there is nothing to see.
      if (progress.state !== State.STATE_NOT_NEEDED) display?.update(progress);
      last = progress;
    }
  } catch (thrown) {
    const { message, code } = ExpertmeshError.from(thrown);
    if (last === undefined || !LEFT_TO_ITSELF.includes(code)) throw thrown;
    // A drain that waits for its turn has no change yet.
    const goesOn =
      last.toVersion === 0
        ? 'it goes on without us: "expertmesh workers list" shows it'
        : `the change to placement ${String(last.toVersion)} goes on without us: "expertmesh top" shows it`;
    throw new ExpertmeshError(code === 'cancelled' ? 'failed_precondition' : code, `${message}; ${goesOn}`);
  } finally {
    display?.stop();
  }
  return requireGoodEnd(last);
}

function requireGoodEnd(last: ChangeProgress | undefined): ChangeProgress {
  if (last?.state === State.STATE_DONE || last?.state === State.STATE_NOT_NEEDED) return last;
  if (last?.state === State.STATE_ROLLED_BACK)
    throw new ExpertmeshError(
      'failed_precondition',
      `the change to placement ${String(last.toVersion)} was taken back, ` +
        `${String(last.fromVersion)} is in force: ${last.message}`,
    );
  throw new ExpertmeshError(
    'unavailable',
    'the coordinator ended the answer before the change was done: see "expertmesh placement history"',
  );
}

const figures = ({ layersDone, layersTotal, bytesDone, bytesTotal }: ChangeProgress): string =>
  `${String(layersDone)} of ${String(layersTotal)} layers, ${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}`;

class Lines {
  readonly #stream: ProgressStream;
  #lastLine = '';

  constructor(stream: ProgressStream) {
    this.#stream = stream;
  }

  update(progress: ChangeProgress): void {
    const line =
      `${progressJson(progress).state}: ` +
      `${figures(progress)}${progress.message === '' ? '' : `, ${progress.message}`}`;
    if (line !== this.#lastLine) this.#stream.write(`${line}\n`);
    this.#lastLine = line;
  }

  stop(): void {
    this.#lastLine = '';
  }
}

class Bar {
  readonly #bar: SingleBar;
  #isStarted = false;

  constructor(stream: ProgressStream) {
    const format = '{state} [{bar}] {figures}  {message}';
    this.#bar = new SingleBar({ format, stream, barsize: 24, fps: 5, hideCursor: true, linewrap: false });
  }

  // Layers where nothing has to be loaded count too, so a bar of bytes alone would stand still.
  update(progress: ChangeProgress): void {
    const { layersDone, layersTotal, bytesDone, bytesTotal } = progress;
    const done = bytesTotal > 0 ? bytesDone : layersDone;
    const payload = { state: progressJson(progress).state, figures: figures(progress), message: progress.message };
    if (!this.#isStarted) this.#bar.start(bytesTotal > 0 ? bytesTotal : layersTotal, done, payload);
    else this.#bar.setTotal(bytesTotal > 0 ? bytesTotal : layersTotal);
    this.#isStarted = true;
    this.#bar.update(done, payload);
  }

  stop(): void {
    if (this.#isStarted) this.#bar.stop();
  }
}
