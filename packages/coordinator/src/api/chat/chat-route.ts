import { type FastifyInstance } from 'fastify';
import { checkModel } from '../../generation/served-model.js';
import { type ApiContext } from '../api-context.js';
import { sendEventStream } from '../event-stream.js';
import { seededByKey } from '../idempotency/idempotency-key.js';
import { generateNamedChat, prepareNamedChat } from '../named-chat.js';
import { parseRequest } from '../parse-request.js';
import { chatAnswerForm } from './answer-form.js';
import { chatCompletion } from './chat-answer.js';
import { chatChunks } from './chat-chunks.js';
import { chatFieldName, chatRequestSchema, toChatRequest } from './chat-request.js';

/** POST /v1/chat/completions */
export function registerChatRoute(app: FastifyInstance, { model, inFlight, unknownFields }: ApiContext): void {
  app.post('/v1/chat/completions', async (request, reply) => {
    const signal = inFlight.signalOf(reply);
    const chat = seededByKey(parseRequest(chatRequestSchema, request.body, unknownFields), request.headers);
    checkModel(model, chat.model);
    const nameOf = chatFieldName(chat);
    const generation = await prepareNamedChat(model, toChatRequest(chat), signal, nameOf);
    const deltas = generateNamedChat(model, generation, signal, nameOf);
    const form = chatAnswerForm(model, chat, generation, request.id);
    if (chat.stream !== true) return reply.send(await chatCompletion(form, deltas));
    return sendEventStream(reply, chatChunks(form, deltas));
  });
}
