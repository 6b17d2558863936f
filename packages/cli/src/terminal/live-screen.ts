import { clipLine } from './visible-text.js';

type Output = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly rows?: number; readonly columns?: number };

const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_REST_OF_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';
const DEFAULT_ROWS = 24;
const DEFAULT_COLUMNS = 80;

/**
 * Frames that replace each other on a terminal, on its second screen, so that what was there before is there
 * afterwards. `close` must be called, also after an error: it gives screen and cursor back.
 */
export class LiveScreen {
  readonly #output: Output;
  #isOpen = false;

  constructor(output: Output) {
    this.#output = output;
  }

  draw(lines: readonly string[]): void {
    const { rows = DEFAULT_ROWS, columns = DEFAULT_COLUMNS } = this.#output;
    if (!this.#isOpen) this.#output.write(ENTER);
    this.#isOpen = true;
    const shown = lines.slice(0, rows - 1).map((line) => clipLine(line, columns) + CLEAR_REST_OF_LINE);
    this.#output.write(`${HOME}${shown.join('\n')}\n${CLEAR_BELOW}`);
  }

  close(): void {
    if (this.#isOpen) this.#output.write(LEAVE);
    this.#isOpen = false;
  }
}
