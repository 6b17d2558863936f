const TURNS = 5;

/** Lets everything happen in this process that waits for no time. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise(setImmediate);
}
