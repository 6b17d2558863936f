import { once } from 'node:events';
import { type sendUnaryData, type ServerUnaryCall, type ServerWritableStream } from '@grpc/grpc-js';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import {
  type DetokenizeRequest,
  type DetokenizeResponse,
  type GenerateRequest,
  type GenerateResponse,
  type TokenizeRequest,
  type TokenizeResponse,
} from '@expertmesh/shared/gen/expertmesh/v1/inference';
import { type Handlers } from '@expertmesh/shared/rpc/service-definition';
import { type inferenceService } from '@expertmesh/shared/rpc/services';
import { toServiceError } from '@expertmesh/shared/rpc/status';
import { checkTokenIds } from '../generation/field-limits.js';
import { generateChat } from '../generation/generate-chat.js';
import { generateText } from '../generation/generate-text.js';
import { prepareChat } from '../generation/prepare-chat.js';
import { promptTokens } from '../generation/prompt-tokens.js';
import { FieldError, RequestError } from '../generation/request-error.js';
import { checkModel, type ServedModel } from '../generation/served-model.js';
import { chatRequestOf } from './chat-of-message.js';
import { nameOfField } from './field-names.js';
import { chatResponse, textResponses } from './generate-responses.js';
import { generationRequestOf } from './generation-of-message.js';

/** InferenceService over the same pipeline as the HTTP API. */
export function inferenceHandlers(model: ServedModel): Handlers<typeof inferenceService> {
  return {
    generate: (call) => {
      void answer(model, call);
    },
    tokenize: unary((request: TokenizeRequest) => tokenize(model, request)),
    detokenize: unary((request: DetokenizeRequest) => detokenize(model, request)),
  };
}

async function answer(
  model: ServedModel,
  call: ServerWritableStream<GenerateRequest, GenerateResponse>,
): Promise<void> {
  const abort = new AbortController();
  call.once('cancelled', () => {
    abort.abort(new ExpertmeshError('cancelled', 'The client ended the call'));
  });
  try {
    for await (const response of responses(model, call.request, abort.signal)) {
      if (!call.write(response)) await once(call, 'drain', { signal: abort.signal });
    }
    call.end();
  } catch (thrown) {
    call.emit('error', toServiceError(inOurNames(thrown)));
  }
}

async function* responses(
  model: ServedModel,
  request: GenerateRequest,
  signal: AbortSignal,
): AsyncGenerator<GenerateResponse, void, void> {
  checkRequestedModel(model, request);
  const { prompt } = request;
  if (prompt?.$case === 'chat') {
    const chat = await prepareChat(model, chatRequestOf(prompt.value, request), signal);
    for await (const delta of generateChat(model, chat, signal)) yield chatResponse(delta);
    return;
  }
  const promptTokenIds = await promptTokenIdsOf(model, prompt, request);
  yield* textResponses(generateText(model, generationRequestOf(request, promptTokenIds), signal));
}

async function promptTokenIdsOf(
  model: ServedModel,
  prompt: Exclude<GenerateRequest['prompt'], { $case: 'chat' }>,
  { truncatePromptTokens }: GenerateRequest,
): Promise<readonly number[]> {
  switch (prompt?.$case) {
    case 'text':
      return promptTokens(model, prompt.value, truncatePromptTokens !== undefined);
    case 'tokenIds':
      return prompt.value.ids;
    case undefined:
      throw new RequestError('invalid_value', 'prompt is missing: send text, token_ids or chat', 'prompt');
  }
}

async function tokenize(model: ServedModel, request: TokenizeRequest): Promise<TokenizeResponse> {
  checkRequestedModel(model, request);
  return { tokenIds: [...(await tokensOf(model, request))], maxModelLen: model.engine.limits.maxModelLen };
}

async function tokensOf(model: ServedModel, { prompt }: TokenizeRequest): Promise<readonly number[]> {
  switch (prompt?.$case) {
    case 'text':
      return model.tokenizer.encode(prompt.value);
    case 'chat': {
      const { request } = await prepareChat(model, chatRequestOf(prompt.value));
      return request.promptTokenIds;
    }
    case undefined:
      throw new RequestError('invalid_value', 'prompt is missing: send text or chat', 'prompt');
  }
}

function detokenize(model: ServedModel, request: DetokenizeRequest): DetokenizeResponse {
  checkRequestedModel(model, request);
  const { tokenIds, skipSpecialTokens } = request;
  checkTokenIds('prompt', tokenIds, model.engine.limits.vocabSize);
  return { text: model.tokenizer.decode(tokenIds, { skipSpecialTokens }) };
}

function checkRequestedModel(model: ServedModel, request: { readonly model: string }): void {
  checkModel(model, request.model === '' ? undefined : request.model);
}

const unary =
  <Request, Response>(handle: (request: Request) => Response | Promise<Response>) =>
  (call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>): void => {
    void (async () => {
      try {
        callback(null, await handle(call.request));
      } catch (thrown) {
        callback(toServiceError(inOurNames(thrown)));
      }
    })();
  };

const inOurNames = (thrown: unknown): unknown => (thrown instanceof FieldError ? thrown.namedBy(nameOfField) : thrown);
