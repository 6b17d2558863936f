import { type FastifyInstance } from 'fastify';
import { generateText } from '../../generation/generate-text.js';
import { FieldError } from '../../generation/request-error.js';
import { type NameOfField } from '../../generation/request-field.js';
import { checkModel, type ServedModel } from '../../generation/served-model.js';
import { type ApiContext } from '../api-context.js';
import { sendEventStream } from '../event-stream.js';
import { seededByKey } from '../idempotency/idempotency-key.js';
import { parseRequest } from '../parse-request.js';
import { textChunks, textCompletion } from './completion-answer.js';
import { completionForm } from './completion-form.js';
import { completionPieces, type PromptDelta } from './completion-pieces.js';
import {
  completionFieldName,
  completionRequestSchema,
  type PromptGeneration,
  toPromptGenerations,
} from './completion-request.js';
import { merged } from './merged.js';

/** POST /v1/completions */
export function registerCompletionRoute(app: FastifyInstance, { model, inFlight, unknownFields }: ApiContext): void {
  app.post('/v1/completions', async (request, reply) => {
    const signal = inFlight.signalOf(reply);
    const fields = parseRequest(completionRequestSchema, request.body, unknownFields);
    const completion = seededByKey(fields, request.headers);
    checkModel(model, completion.model);
    const generations = await toPromptGenerations(model, completion);
    const form = completionForm(model, completion, generations, request.id);
    const pieces = completionPieces(form, generateAll(model, generations, signal, completionFieldName(completion)));
    if (completion.stream !== true) return reply.send(await textCompletion(form, pieces));
    return sendEventStream(reply, textChunks(form, pieces));
  });
}

/** All prompts at a time; when one fails, or nobody reads any more, the others end. */
async function* generateAll(
  model: ServedModel,
  generations: readonly PromptGeneration[],
  signal: AbortSignal,
  nameOf: NameOfField,
): AsyncGenerator<PromptDelta, void, void> {
  const others = new AbortController();
  const either = AbortSignal.any([signal, others.signal]);
  try {
    yield* merged(generations.map(({ request }, promptIndex) => generateOne(model, request, promptIndex, either)));
  } catch (thrown) {
    throw thrown instanceof FieldError ? thrown.namedBy(nameOf) : thrown;
  } finally {
    others.abort();
  }
}

async function* generateOne(
  model: ServedModel,
  request: PromptGeneration['request'],
  promptIndex: number,
  signal: AbortSignal,
): AsyncGenerator<PromptDelta, void, void> {
  for await (const delta of generateText(model, request, signal)) yield { promptIndex, delta };
}
