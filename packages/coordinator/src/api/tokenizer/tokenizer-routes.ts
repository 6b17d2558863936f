import { type FastifyInstance } from 'fastify';
import { checkTokenIds } from '../../generation/field-limits.js';
import { FieldError, RequestError } from '../../generation/request-error.js';
import { checkModel, type ServedModel } from '../../generation/served-model.js';
import { type ApiContext } from '../api-context.js';
import { toChatPrompt } from '../chat/chat-request.js';
import { openAiFieldName } from '../field-names.js';
import { prepareNamedChat } from '../named-chat.js';
import { parseRequest } from '../parse-request.js';
import { detokenizeSchema, tokenizeChatSchema, tokenizeTextSchema } from './tokenizer-requests.js';

/** POST /tokenize and /detokenize, GET /tokenizer_info: the tokenizer of the model, without generating. */
export function registerTokenizerRoutes(app: FastifyInstance, context: ApiContext): void {
  const { model, inFlight, unknownFields } = context;
  app.post('/tokenize', async (request, reply) => {
    const { tokens, withStrings } = await tokensOf(context, request.body, inFlight.signalOf(reply));
    return {
      count: tokens.length,
      max_model_len: model.engine.limits.maxModelLen,
      tokens,
      ...(withStrings && { token_strs: tokens.map((id) => model.tokenizer.decode([id])) }),
    };
  });
  app.post('/detokenize', (request) => {
    const { model: requested, tokens } = parseRequest(detokenizeSchema, request.body, unknownFields);
    checkModel(model, requested);
    checkTokens(model, tokens);
    return { prompt: model.tokenizer.decode(tokens) };
  });
  app.get('/tokenizer_info', () => model.tokenizerInfo);
}

interface Tokens {
  readonly tokens: readonly number[];
  readonly withStrings: boolean;
}

async function tokensOf({ model, unknownFields }: ApiContext, body: unknown, signal: AbortSignal): Promise<Tokens> {
  if (typeof body === 'object' && body !== null && 'messages' in body) {
    const chat = parseRequest(tokenizeChatSchema, body, unknownFields);
    checkModel(model, chat.model);
    const { request } = await prepareNamedChat(model, toChatPrompt(chat), signal, (field) =>
      field === 'prompt' ? 'messages' : openAiFieldName(field),
    );
    return { tokens: request.promptTokenIds, withStrings: chat.return_token_strs ?? false };
  }
  const text = parseRequest(tokenizeTextSchema, body, unknownFields);
  checkModel(model, text.model);
  return { tokens: await model.tokenizer.encode(text.prompt), withStrings: text.return_token_strs ?? false };
}

function checkTokens(model: ServedModel, tokens: readonly number[]): void {
  const { maxModelLen, vocabSize } = model.engine.limits;
  if (tokens.length > maxModelLen) {
    const message = `tokens has ${String(tokens.length)} entries, this model's sequences have ${String(maxModelLen)}`;
    throw new RequestError('invalid_value', message, 'tokens');
  }
  try {
    checkTokenIds('prompt', tokens, vocabSize);
  } catch (thrown) {
    throw thrown instanceof FieldError ? thrown.namedBy(() => 'tokens') : thrown;
  }
}
