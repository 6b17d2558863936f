import { once } from 'node:events';
import { type ServerWritableStream } from '@grpc/grpc-js';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type GenerateRequest, type GenerateResponse } from '@expertmesh/shared/gen/expertmesh/v1/inference';
import { type Handlers } from '@expertmesh/shared/rpc/service-definition';
import { type inferenceService } from '@expertmesh/shared/rpc/services';
import { toServiceError } from '@expertmesh/shared/rpc/status';
import { generateText } from '../generation/generate-text.js';
import { type GenerationRequest } from '../generation/generation-request.js';
import { RequestError } from '../generation/request-error.js';
import { checkModel, type ServedModel } from '../generation/served-model.js';

type GenerateCall = ServerWritableStream<GenerateRequest, GenerateResponse>;

/** InferenceService over the same pipeline as the HTTP API. */
export function inferenceHandlers(model: ServedModel): Handlers<typeof inferenceService> {
  return {
    generate: (call) => {
      void answer(model, call);
    },
  };
}

async function answer(model: ServedModel, call: GenerateCall): Promise<void> {
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
    call.emit('error', toServiceError(thrown));
  }
}

async function* responses(
  model: ServedModel,
  request: GenerateRequest,
  signal: AbortSignal,
): AsyncGenerator<GenerateResponse, void, void> {
  checkModel(model, request.model === '' ? undefined : request.model);
  const generation = await toGenerationRequest(model, request);
  const promptTokens = generation.promptTokenIds.length;
  let completionTokens = 0;
  for await (const { tokenIds, text, finishReason } of generateText(model, generation, signal)) {
    completionTokens += tokenIds.length;
    const usage = finishReason === undefined ? undefined : { promptTokens, completionTokens };
    yield { tokenIds: [...tokenIds], text, finishReason: finishReason ?? '', usage };
  }
}

const toGenerationRequest = async (model: ServedModel, request: GenerateRequest): Promise<GenerationRequest> => ({
  promptTokenIds: await promptTokenIds(model, request.prompt),
  maxTokens: request.maxTokens,
  sampling: request.sampling ?? {},
  stopStrings: request.stop,
  stopTokenIds: request.stopTokenIds,
  ignoreEos: request.ignoreEos,
  includeStop: false,
  skipSpecialTokens: true,
});

async function promptTokenIds(model: ServedModel, prompt: GenerateRequest['prompt']): Promise<readonly number[]> {
  switch (prompt?.$case) {
    case 'text':
      return model.tokenizer.encode(prompt.value);
    case 'tokenIds':
      return prompt.value.ids;
    case undefined:
      throw new RequestError('invalid_value', 'prompt is missing: send text or token_ids', 'prompt');
  }
}
