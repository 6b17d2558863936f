interface KeyInput extends NodeJS.ReadableStream {
  readonly isTTY?: boolean;
  setRawMode?(isRaw: boolean): unknown;
}

const CTRL_C = '\u0003';
const CTRL_D = '\u0004';

/** Calls back when q, Ctrl-C or Ctrl-D is pressed in a terminal; the returned function gives the keyboard back. */
export function onQuitKey(input: KeyInput, quit: () => void): () => void {
  if (input.isTTY !== true) return () => undefined;
  const listener = (data: Buffer | string): void => {
    if (['q', 'Q', CTRL_C, CTRL_D].includes(data.toString())) quit();
  };
  input.setRawMode?.(true);
  input.on('data', listener).resume();
  return () => {
    input.off('data', listener).pause();
    input.setRawMode?.(false);
  };
}
