/** Time as the code that waits for others sees it: passed in, so that tests drive it. */
export interface Clock {
  /** Monotonic. */
  nowMs(): number;
  /** Calls back once after the delay; the returned function cancels that. */
  after(delayMs: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return () => {
      clearTimeout(timer);
    };
  },
};
