import { type FastifyInstance } from 'fastify';
import { generateChat } from '../../generation/generate-chat.js';
import { type ServedModel } from '../../generation/served-model.js';
import { sendEventStream } from '../event-stream.js';
import { type InFlightRequests } from '../in-flight-requests.js';
import { newAnswerHead, toUsageOptions } from '../openai-answer.js';
import { parseRequest } from '../parse-request.js';
import { chatChunks, chatCompletion } from './chat-answer.js';
import { chatRequestSchema, toChatGeneration } from './chat-request.js';

/** POST /v1/chat/completions */
export function registerChatRoute(app: FastifyInstance, model: ServedModel, inFlight: InFlightRequests): void {
  app.post('/v1/chat/completions', async (request, reply) => {
    const signal = inFlight.signalOf(reply);
    const chat = parseRequest(chatRequestSchema, request.body);
    const deltas = generateChat(model, await toChatGeneration(model, chat), signal);
    const head = newAnswerHead(`chatcmpl-${request.id}`, model);
    if (chat.stream !== true) return reply.send(await chatCompletion(head, deltas));
    return sendEventStream(reply, chatChunks(head, deltas, toUsageOptions(chat.stream_options)));
  });
}
