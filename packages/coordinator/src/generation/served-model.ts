import { type Logger } from '@expertmesh/shared/process/logger';
import { type EngineClient } from '../engine/engine-client.js';
import { type CheckConstraint } from '../sampling/grammar/checks/constraint-checks.js';
import { loadChatTemplate, readChatTemplate, type RenderableTemplate } from '../text/chat-template.js';
import { endTokenIds, type GenerationDefaults, readGenerationDefaults } from '../text/generation-defaults.js';
import { type EncodeText } from '../text/long-texts/long-texts.js';
import { FieldError } from './request-error.js';
import { ServedTemplate } from '../text/template-process/served-template.js';
import { type TemplateProcess } from '../text/template-process/template-process.js';
import { readTokenizerInfo, type TokenizerInfo } from '../text/tokenizer-info.js';
import { loadTokenizer, type Tokenizer } from '../text/tokenizer.js';

/** The one model that a coordinator serves: its engine, and what turns text into tokens and back. */
export interface ServedModel {
  /** The `model` that answers name. */
  readonly id: string;
  /** Other names by which requests may ask for it; the answer then has the one that was asked for. */
  readonly aliases: readonly string[];
  readonly createdAtSec: number;
  readonly engine: EngineClient;
  readonly tokenizer: Tokenizer;
  /** Absent for a model that can complete text but not chat. */
  readonly chatTemplate: RenderableTemplate | undefined;
  readonly defaults: GenerationDefaults;
  /** Absent where nobody else waits for this thread, which then does it. */
  readonly checkConstraint?: CheckConstraint | undefined;
  readonly tokenizerInfo: TokenizerInfo;
  /** Requests may bring a template of their own. */
  readonly trustsRequestTemplates?: boolean | undefined;
  /** Told what is decided for requests that leave it open. */
  readonly logger?: Logger | undefined;
}

/**
 * Reads tokenizer, chat template and generation defaults from a model directory (or an expert store, which has the same
 * files).
 *
 * @param beside what takes the work that would keep this thread; absent where nobody else waits for it
 * @throws ExpertmeshError what the readers of the files throw, and ServedTemplate.open.
 */
export async function loadServedModel(
  modelDir: string,
  options: Pick<ServedModel, 'id' | 'engine' | 'trustsRequestTemplates' | 'logger'> &
    Partial<Pick<ServedModel, 'aliases'>>,
  beside?: {
    readonly encodeLong: EncodeText;
    readonly templates: TemplateProcess;
    readonly checkConstraint: CheckConstraint;
  },
): Promise<ServedModel> {
  const tokenizer = await loadTokenizer(modelDir, beside?.encodeLong);
  const defaults = await readGenerationDefaults(modelDir);
  return {
    aliases: [],
    ...options,
    createdAtSec: Math.floor(Date.now() / 1000),
    tokenizer,
    checkConstraint: beside?.checkConstraint,
    chatTemplate: await openTemplate(modelDir, tokenizer, beside?.templates),
    defaults: { ...defaults, eosTokenIds: endTokenIds(defaults, tokenizer) },
    tokenizerInfo: await readTokenizerInfo(modelDir),
  };
}

async function openTemplate(
  modelDir: string,
  { specialTokens }: Tokenizer,
  process: TemplateProcess | undefined,
): Promise<RenderableTemplate | undefined> {
  if (process === undefined) return loadChatTemplate(modelDir, specialTokens);
  const source = await readChatTemplate(modelDir, specialTokens);
  return source && ServedTemplate.open(source, process);
}

/** The name that an answer has: that by which the request asks for the model, or the first. */
export function answeringName({ id }: ServedModel, requested: string | undefined): string {
  return requested === undefined || requested === '' ? id : requested;
}

/** @throws FieldError `model_not_found` when a request names another model; an empty name stands for the served one. */
export function checkModel({ id, aliases }: ServedModel, requested: string | undefined): void {
  if (requested === undefined || requested === '' || requested === id || aliases.includes(requested)) return;
  const message = `The model ${requested} does not exist here; this server serves ${[id, ...aliases].join(', ')}`;
  throw new FieldError('model_not_found', 'model', () => message);
}
