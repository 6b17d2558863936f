import { type EngineClient } from '../engine/engine-client.js';
import { type ChatTemplate, loadChatTemplate } from '../text/chat-template.js';
import { type GenerationDefaults, readGenerationDefaults } from '../text/generation-defaults.js';
import { RequestError } from './request-error.js';
import { loadTokenizer, type Tokenizer } from '../text/tokenizer.js';

/** The one model that a coordinator serves: its engine, and what turns text into tokens and back. */
export interface ServedModel {
  /** The `model` that requests must name. */
  readonly id: string;
  readonly createdAtSec: number;
  readonly engine: EngineClient;
  readonly tokenizer: Tokenizer;
  /** Absent for a model that can complete text but not chat. */
  readonly chatTemplate: ChatTemplate | undefined;
  readonly defaults: GenerationDefaults;
}

/**
 * Reads tokenizer, chat template and generation defaults from a model directory (or an expert store, which has the same
 * files).
 */
export async function loadServedModel(
  modelDir: string,
  { id, engine }: { readonly id: string; readonly engine: EngineClient },
): Promise<ServedModel> {
  const tokenizer = await loadTokenizer(modelDir);
  const defaults = await readGenerationDefaults(modelDir);
  return {
    id,
    createdAtSec: Math.floor(Date.now() / 1000),
    engine,
    tokenizer,
    chatTemplate: await loadChatTemplate(modelDir, tokenizer.specialTokens),
    defaults: { ...defaults, eosTokenIds: eosTokenIds(defaults, tokenizer) },
  };
}

/** @throws RequestError `model_not_found` when a request names another model. */
export function checkModel({ id }: ServedModel, requested: string | undefined): void {
  if (requested === undefined || requested === id) return;
  const message = `The model ${requested} does not exist here; this server serves ${id}`;
  throw new RequestError('model_not_found', message, 'model');
}

/** generation_config.json decides, as in transformers; a model without one ends at its tokenizer's eos_token. */
const eosTokenIds = (defaults: GenerationDefaults, { eosTokenId }: Tokenizer): readonly number[] =>
  defaults.eosTokenIds.length === 0 && eosTokenId !== undefined ? [eosTokenId] : defaults.eosTokenIds;
