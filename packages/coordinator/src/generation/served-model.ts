import { type Logger } from '@expertmesh/shared/process/logger';
import { type EngineClient } from '../engine/engine-client.js';
import { type ChatTemplate, loadChatTemplate } from '../text/chat-template.js';
import { type GenerationDefaults, readGenerationDefaults } from '../text/generation-defaults.js';
import { FieldError } from './request-error.js';
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
  /** Requests may bring a template of their own. */
  readonly trustsRequestTemplates?: boolean | undefined;
  /** Told what is decided for requests that leave it open. */
  readonly logger?: Logger | undefined;
}

/**
 * Reads tokenizer, chat template and generation defaults from a model directory (or an expert store, which has the same
 * files).
 */
export async function loadServedModel(
  modelDir: string,
  options: Pick<ServedModel, 'id' | 'engine' | 'trustsRequestTemplates' | 'logger'>,
): Promise<ServedModel> {
  const tokenizer = await loadTokenizer(modelDir);
  const defaults = await readGenerationDefaults(modelDir);
  return {
    ...options,
    createdAtSec: Math.floor(Date.now() / 1000),
    tokenizer,
    chatTemplate: await loadChatTemplate(modelDir, tokenizer.specialTokens),
    defaults: { ...defaults, eosTokenIds: eosTokenIds(defaults, tokenizer) },
  };
}

/** @throws FieldError `model_not_found` when a request names another model. */
export function checkModel({ id }: ServedModel, requested: string | undefined): void {
  if (requested === undefined || requested === id) return;
  const message = `The model ${requested} does not exist here; this server serves ${id}`;
  throw new FieldError('model_not_found', 'model', () => message);
}

/** generation_config.json decides, as in transformers; a model without one ends at its tokenizer's eos_token. */
const eosTokenIds = (defaults: GenerationDefaults, { eosTokenId }: Tokenizer): readonly number[] =>
  defaults.eosTokenIds.length === 0 && eosTokenId !== undefined ? [eosTokenId] : defaults.eosTokenIds;
