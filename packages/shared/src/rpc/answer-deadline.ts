import { type Clock } from './clock.js';

/**
 * When this thread was busy while the time ran out, the answer may lie unread in the socket, for timers run before
 * sockets are read. So a timer that comes late by this much gives the answer some more time.
 */
const BUSY_THREAD_MS = 50;
const UNREAD_ANSWER_MS = 250;

/** Calls back when no answer has come within `deadlineMs`; the returned function says that it has. */
export function answerDeadline(clock: Clock, deadlineMs: number, onExpired: () => void): () => void {
  const dueMs = clock.nowMs() + deadlineMs;
  let cancelTimer = clock.after(deadlineMs, () => {
    if (clock.nowMs() - dueMs > BUSY_THREAD_MS) cancelTimer = clock.after(UNREAD_ANSWER_MS, onExpired);
    else onExpired();
  });
  return () => {
    cancelTimer();
  };
}
