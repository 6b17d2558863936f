import { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { checkModel, type ServedModel } from '../../generation/served-model.js';
import { type ApiContext } from '../api-context.js';
import { sendEventStream } from '../event-stream.js';
import { callerOfRequest } from '../http/access-hooks.js';
import { generateNamedChat, prepareNamedChat } from '../named-chat.js';
import { newAnswerHead } from '../openai-answer.js';
import { parseRequest } from '../parse-request.js';
import { randomHex } from '../random-hex.js';
import { readOutput } from './input-items.js';
import { resolveReferences, responseFieldName, toChatRequest } from './response-chat.js';
import { responseEventForm, wholeResponse } from './response-form.js';
import { type ResponseHead } from './response-object.js';
import { type ResponseRequest, responseRequestSchema, retrieveQuerySchema } from './response-request.js';
import { ResponseRun } from './response-run.js';
import { ResponseStore } from './response-store.js';

const STORE_LIMITS = { maxResponses: 1000, maxBytes: 64 * 1024 * 1024 };

interface ById {
  readonly Params: { readonly id: string };
}

/** POST /v1/responses, and GET and DELETE /v1/responses/{id} for those that are stored. */
export function registerResponseRoutes(app: FastifyInstance, context: ApiContext): void {
  const store = new ResponseStore(STORE_LIMITS);
  app.post('/v1/responses', async (request, reply) => createResponse(context, store, request, reply));
  app.get<ById>('/v1/responses/:id', (request) => {
    parseRequest(retrieveQuerySchema, request.query, context.unknownFields);
    return store.get(request.params.id, ownerOf(request)).response;
  });
  app.delete<ById>('/v1/responses/:id', (request) => {
    const { id } = request.params;
    store.delete(id, ownerOf(request));
    return { id, object: 'response', deleted: true };
  });
}

const ownerOf = (request: FastifyRequest): string | undefined => callerOfRequest(request)?.account?.name;

async function createResponse(
  { model, inFlight, unknownFields }: ApiContext,
  store: ResponseStore,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const signal = inFlight.signalOf(reply);
  const owner = ownerOf(request);
  const parsed = parseRequest(responseRequestSchema, request.body, unknownFields);
  checkModel(model, parsed.model);
  const previousId = parsed.previous_response_id;
  const input = resolveReferences(parsed.input, store, owner);
  const history = previousId === undefined ? [] : store.conversation(previousId, owner);
  const chat = toChatRequest(parsed, [...history, ...input]);
  const generation = await prepareNamedChat(model, chat, signal, responseFieldName);
  const run = new ResponseRun(headOf(model, parsed, request.body), (response) => {
    if (parsed.store === false) return;
    store.put({ response, owner, previousId, items: [...input, ...readOutput(response.output)] });
  });
  const events = run.events(generateNamedChat(model, generation, signal, responseFieldName));
  if (parsed.stream !== true) return reply.send(await wholeResponse(events));
  return sendEventStream(reply, events, responseEventForm(run));
}

const headOf = (model: ServedModel, request: ResponseRequest, body: unknown): ResponseHead => ({
  ...newAnswerHead(`resp_${randomHex()}`, model, request.model),
  request,
  body: body as ResponseHead['body'],
  defaults: model.defaults.sampling,
});
