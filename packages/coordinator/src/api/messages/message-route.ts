import { type FastifyInstance } from 'fastify';
import { type ChatGeneration } from '../../generation/generate-chat.js';
import { answeringName, checkModel, type ServedModel } from '../../generation/served-model.js';
import { type ApiContext } from '../api-context.js';
import { sendEventStream } from '../event-stream.js';
import { generateNamedChat, prepareNamedChat } from '../named-chat.js';
import { parseRequest } from '../parse-request.js';
import { randomHex } from '../random-hex.js';
import { messageFieldName, toChatPrompt, toChatRequest } from './message-chat.js';
import { answerErrorsAsAnthropic, MESSAGE_EVENTS } from './message-errors.js';
import { type MessageHead } from './message-object.js';
import { countTokensSchema, type MessageRequest, messageRequestSchema } from './message-request.js';
import { MessageRun } from './message-run.js';

/** POST /v1/messages and /v1/messages/count_tokens */
export function registerMessageRoutes(app: FastifyInstance, context: ApiContext): void {
  void app.register((scope, _options, done) => {
    answerErrorsAsAnthropic(scope);
    registerMessages(scope, context);
    registerCountTokens(scope, context);
    done();
  });
}

function registerMessages(scope: FastifyInstance, { model, inFlight, unknownFields }: ApiContext): void {
  scope.post('/v1/messages', async (request, reply) => {
    const signal = inFlight.signalOf(reply);
    const asked = parseRequest(messageRequestSchema, request.body, unknownFields);
    checkModel(model, asked.model);
    const prepared = await prepareNamedChat(model, toChatRequest(asked), signal, messageFieldName);
    const fitted = withinContext(prepared, model.engine.limits.maxModelLen);
    const deltas = generateNamedChat(model, fitted.generation, signal, messageFieldName);
    const run = new MessageRun(headOf(model, asked, fitted));
    if (asked.stream !== true) return reply.send(await run.whole(deltas));
    return sendEventStream(reply, run.events(deltas), MESSAGE_EVENTS);
  });
}

function registerCountTokens(scope: FastifyInstance, { model, inFlight, unknownFields }: ApiContext): void {
  scope.post('/v1/messages/count_tokens', async (request, reply) => {
    const asked = parseRequest(countTokensSchema, request.body, unknownFields);
    checkModel(model, asked.model);
    const prompt = toChatPrompt(asked);
    // Counting asks no engine: where the model would decide, it is taken to think.
    const thinking = prompt.thinking?.mode === 'auto' ? { mode: true } : prompt.thinking;
    const counted = { ...prompt, thinking };
    const prepared = await prepareNamedChat(model, counted, inFlight.signalOf(reply), messageFieldName);
    return { input_tokens: prepared.request.promptTokenIds.length };
  });
}

interface FittedGeneration {
  readonly generation: ChatGeneration;
  readonly isLimitedByContext: boolean;
}

/** At Anthropic a `max_tokens` of more than fits ends at the end of the context, and the answer says so. */
function withinContext(generation: ChatGeneration, maxModelLen: number): FittedGeneration {
  const { promptTokenIds, maxTokens } = generation.request;
  const room = maxModelLen - promptTokenIds.length;
  if (maxTokens === undefined || maxTokens <= room) return { generation, isLimitedByContext: false };
  const request = { ...generation.request, maxTokens: undefined };
  return { generation: { ...generation, request }, isLimitedByContext: true };
}

const headOf = (model: ServedModel, asked: MessageRequest, fitted: FittedGeneration): MessageHead => ({
  id: `msg_${randomHex()}`,
  model: answeringName(model, asked.model),
  hidesThinking: asked.thinking !== undefined && 'display' in asked.thinking && asked.thinking.display === 'omitted',
  reasonAtLimit: fitted.isLimitedByContext ? 'model_context_window_exceeded' : 'max_tokens',
});
