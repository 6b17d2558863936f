import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { encodeNamedEvent, type EventStreamForm } from '../event-stream.js';
import { toHttpError } from '../http-error.js';
import { type ResponseEvent } from './item-events.js';
import { type ResponseRun } from './response-run.js';

/** Named events; a failure is a last `response.failed`, and nothing comes after the last one. */
export function responseEventForm(run: ResponseRun): EventStreamForm<ResponseEvent> {
  return {
    encode: encodeNamedEvent,
    end: '',
    encodeError: (thrown) => encodeNamedEvent(run.failure(errorOf(thrown))),
  };
}

/** The response that the last event has. */
export async function wholeResponse(events: AsyncIterable<ResponseEvent>): Promise<unknown> {
  let last: ResponseEvent | undefined;
  for await (const event of events) last = event;
  return last?.['response'];
}

/** OpenAI has a closed list of codes for responses that failed. */
function errorOf(thrown: unknown): { readonly code: string; readonly message: string } {
  const isTooMany = thrown instanceof ExpertmeshError && thrown.code === 'resource_exhausted';
  const { message } = toHttpError(thrown).body.error;
  return { code: isTooMany ? 'rate_limit_exceeded' : 'server_error', message };
}
