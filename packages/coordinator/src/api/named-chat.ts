import { type ChatRequest } from '../generation/chat-request.js';
import { type ChatDelta, type ChatGeneration, generateChat } from '../generation/generate-chat.js';
import { prepareChat } from '../generation/prepare-chat.js';
import { FieldError } from '../generation/request-error.js';
import { type NameOfField } from '../generation/request-field.js';
import { type ServedModel } from '../generation/served-model.js';

/** `prepareChat`, whose refusals name fields as a dialect of the API calls them. */
export async function prepareNamedChat(
  model: ServedModel,
  chat: ChatRequest,
  signal: AbortSignal,
  nameOf: NameOfField,
): Promise<ChatGeneration> {
  try {
    return await prepareChat(model, chat, signal);
  } catch (thrown) {
    throw named(thrown, nameOf);
  }
}

/** `generateChat`, whose refusals name fields as a dialect of the API calls them. */
export async function* generateNamedChat(
  model: ServedModel,
  generation: ChatGeneration,
  signal: AbortSignal,
  nameOf: NameOfField,
): AsyncGenerator<ChatDelta, void, void> {
  try {
    yield* generateChat(model, generation, signal);
  } catch (thrown) {
    throw named(thrown, nameOf);
  }
}

const named = (thrown: unknown, nameOf: NameOfField): unknown =>
  thrown instanceof FieldError ? thrown.namedBy(nameOf) : thrown;
