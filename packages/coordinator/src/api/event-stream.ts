import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type FastifyReply } from 'fastify';
import { logError, toHttpError } from './http-error.js';

/** A failure within this time still has a status of its own, such as 503 for a full queue; then the stream begins. */
const STATUS_WAIT_MS = 250;

/** Proxies and clients give up a connection on which nothing comes, many of them after 30 or 60 s. */
const KEEP_ALIVE_MS = 10_000;

/** A comment, which clients skip. */
const KEEP_ALIVE = ': keep-alive\n\n';

/** How a dialect of the API writes server-sent events. */
export interface EventStreamForm<Event> {
  readonly encode: (event: Event) => string;
  /** After the last event of a stream that did not fail. */
  readonly end: string;
  /** The last event of one that did. */
  readonly encodeError: (thrown: unknown) => string;
}

/** Events without names, and `[DONE]` at the end, as chat and text completions have them. */
const UNNAMED_EVENTS: EventStreamForm<unknown> = {
  encode: encodeEvent,
  end: 'data: [DONE]\n\n',
  encodeError: (thrown) => encodeEvent(toHttpError(thrown).body),
};

/** Events whose name is their `type`. */
export function encodeNamedEvent(event: { readonly type: string }): string {
  return `event: ${event.type}\n${encodeEvent(event)}`;
}

/**
 * Answers with server-sent events, each a JSON object, and `[DONE]` at the end. What fails at once is thrown, to be
 * answered as any error; what fails later becomes one last `{"error": ...}` event. The next event is made only when the
 * client has room for it. While there is none for some time, a comment keeps the connection alive.
 */
export async function sendEventStream<Event>(
  reply: FastifyReply,
  events: AsyncGenerator<Event, void, void>,
  form: EventStreamForm<Event> = UNNAMED_EVENTS,
): Promise<FastifyReply> {
  const first = events.next();
  // Where the client goes before it is awaited below, nobody awaits it.
  first.catch(() => undefined);
  const isEarly = await isSettledWithin(first, STATUS_WAIT_MS);
  reply.header('content-type', 'text/event-stream; charset=utf-8').header('cache-control', 'no-cache');
  // nginx would otherwise collect the events.
  reply.header('x-accel-buffering', 'no');
  return reply.send(Readable.from(encodeEvents({ first, isEarly, events }, reply, form), { objectMode: false }));
}

/** @throws what `promise` fails with in that time. */
async function isSettledWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const timer = new AbortController();
  const timeout = sleep(ms, false, { signal: timer.signal });
  timeout.catch(() => undefined);
  try {
    return await Promise.race([promise.then(() => true), timeout]);
  } finally {
    timer.abort();
  }
}

interface StartedEvents<Event> {
  readonly first: Promise<IteratorResult<Event, void>>;
  readonly isEarly: boolean;
  readonly events: AsyncGenerator<Event, void, void>;
}

async function* encodeEvents<Event>(
  { first, isEarly, events }: StartedEvents<Event>,
  reply: FastifyReply,
  form: EventStreamForm<Event>,
): AsyncGenerator<string, void, void> {
  const keepAlive = keepAliveOf(reply);
  try {
    // The status line and the headers go with it.
    if (!isEarly) yield KEEP_ALIVE;
    const { value, done } = await first;
    if (done !== true) yield form.encode(value);
    for await (const event of events) {
      keepAlive.refresh();
      yield form.encode(event);
    }
    if (form.end !== '') yield form.end;
  } catch (thrown) {
    logError(reply.request, thrown);
    yield form.encodeError(thrown);
  } finally {
    clearInterval(keepAlive);
  }
}

/** Writes a comment whenever the stream has written nothing for a while; its own chunks are whole events. */
function keepAliveOf({ raw }: FastifyReply): NodeJS.Timeout {
  const timer = setInterval(() => {
    if (!raw.writableEnded && raw.writableLength === 0) raw.write(KEEP_ALIVE);
  }, KEEP_ALIVE_MS);
  raw.once('close', () => {
    clearInterval(timer);
  });
  return timer;
}

function encodeEvent(event: unknown): string {
  return `data: ${JSON.stringify(event)}\n\n`;
}
