import { Readable } from 'node:stream';
import { type FastifyReply } from 'fastify';
import { logError, toHttpError } from './http-error.js';

/**
 * Answers with server-sent events, each a JSON object, and `[DONE]` at the end. What fails before the first event is
 * thrown, to be answered as any error; what fails later becomes one last `{"error": ...}` event. The next event is made
 * only when the client has room for it.
 */
export async function sendEventStream(
  reply: FastifyReply,
  events: AsyncGenerator<unknown, void, void>,
): Promise<FastifyReply> {
  const first = await events.next();
  reply.header('content-type', 'text/event-stream; charset=utf-8').header('cache-control', 'no-cache');
  // nginx would otherwise collect the events.
  reply.header('x-accel-buffering', 'no');
  return reply.send(Readable.from(encodeEvents(first, events, reply), { objectMode: false }));
}

async function* encodeEvents(
  first: IteratorResult<unknown, void>,
  rest: AsyncGenerator<unknown, void, void>,
  { request }: FastifyReply,
): AsyncGenerator<string, void, void> {
  try {
    if (first.done !== true) yield encodeEvent(first.value);
    for await (const event of rest) yield encodeEvent(event);
    yield 'data: [DONE]\n\n';
  } catch (thrown) {
    logError(request, thrown);
    yield encodeEvent(toHttpError(thrown).body);
  }
}

const encodeEvent = (event: unknown): string => `data: ${JSON.stringify(event)}\n\n`;
