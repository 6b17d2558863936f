import { type FastifyInstance } from 'fastify';
import { z } from 'zod';
import { checkModel, type ServedModel } from '../generation/served-model.js';
import { chatPromptSchema, renderPrompt } from './chat/chat-request.js';
import { generationFields } from './generation-fields.js';
import { parseRequest } from './parse-request.js';

const textSchema = z.strictObject({ model: generationFields.model, prompt: z.string() });

/** POST /tokenize: the tokens of a `prompt`, or of `messages` through the chat template, without generating. */
export function registerTokenizeRoute(app: FastifyInstance, model: ServedModel): void {
  app.post('/tokenize', async (request) => {
    const tokens = await model.tokenizer.encode(promptOf(model, request.body));
    return { count: tokens.length, max_model_len: model.engine.limits.maxModelLen, tokens };
  });
}

function promptOf(model: ServedModel, body: unknown): string {
  if (typeof body === 'object' && body !== null && 'messages' in body) {
    const chat = parseRequest(chatPromptSchema, body);
    checkModel(model, chat.model);
    return renderPrompt(model, chat);
  }
  const text = parseRequest(textSchema, body);
  checkModel(model, text.model);
  return text.prompt;
}
