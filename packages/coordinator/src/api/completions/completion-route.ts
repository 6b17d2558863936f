import { type FastifyInstance } from 'fastify';
import { generateText } from '../../generation/generate-text.js';
import { type ServedModel } from '../../generation/served-model.js';
import { sendEventStream } from '../event-stream.js';
import { type InFlightRequests } from '../in-flight-requests.js';
import { newAnswerHead, toUsageOptions } from '../openai-answer.js';
import { parseRequest } from '../parse-request.js';
import { textChunks, textCompletion } from './completion-answer.js';
import { completionRequestSchema, toCompletionGeneration } from './completion-request.js';

/** POST /v1/completions */
export function registerCompletionRoute(app: FastifyInstance, model: ServedModel, inFlight: InFlightRequests): void {
  app.post('/v1/completions', async (request, reply) => {
    const signal = inFlight.signalOf(reply);
    const completion = parseRequest(completionRequestSchema, request.body);
    const generation = await toCompletionGeneration(model, completion);
    const deltas = generateText(model, generation, signal);
    const head = newAnswerHead(`cmpl-${request.id}`, model);
    const numPromptTokens = generation.promptTokenIds.length;
    if (completion.stream !== true) return reply.send(await textCompletion(head, numPromptTokens, deltas));
    const usageOptions = toUsageOptions(completion.stream_options);
    return sendEventStream(reply, textChunks(head, numPromptTokens, deltas, usageOptions));
  });
}
