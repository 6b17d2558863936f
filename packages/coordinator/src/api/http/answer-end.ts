import { type Socket } from 'node:net';
import { type FastifyReply } from 'fastify';

/** By connection, so that each has one listener, however many requests have come over it. */
const unfinished = new WeakMap<Socket, Set<() => void>>();

/**
 * Calls `listener` once, when an answer has been sent or can no longer be. A request that was sent behind another one
 * over the same connection has that connection only when the other one is answered, and is not told when it breaks.
 */
export function onAnswerEnd({ raw, request }: FastifyReply, listener: () => void): void {
  const waiting = waitingOn(request.raw.socket);
  const onEnd = (): void => {
    raw.off('close', onEnd);
    if (waiting.delete(onEnd)) listener();
  };
  waiting.add(onEnd);
  raw.once('close', onEnd);
  if (raw.closed || request.raw.socket.destroyed) onEnd();
}

function waitingOn(socket: Socket): Set<() => void> {
  const known = unfinished.get(socket);
  if (known !== undefined) return known;
  const waiting = new Set<() => void>();
  unfinished.set(socket, waiting);
  socket.once('close', () => {
    for (const onEnd of [...waiting]) onEnd();
  });
  return waiting;
}
