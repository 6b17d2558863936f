import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Template } from '@huggingface/jinja';
import { z } from 'zod';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { ExactJson } from './exact-json.js';
import { withParsedArguments, withoutThinking } from './history-message.js';
import { type TemplateMessage } from './template-message.js';
import { type TemplateTraits, traitsOfTemplate } from './template-traits.js';

export type { TemplateMessage };

export interface TemplateInput {
  readonly messages: readonly TemplateMessage[];
  /** Function definitions in OpenAI's form, as the client wrote them: templates print them as JSON. */
  readonly tools?: readonly unknown[];
  readonly addGenerationPrompt: boolean;
  /**
   * The prompt ends where the text of the last message does, for the answer to go on with it: what the template writes
   * behind it is left out.
   */
  readonly continueFinalMessage?: boolean;
  /** Texts for templates that have a place for them. */
  readonly documents?: readonly unknown[] | undefined;
  /** Variables of the template's own, such as `enable_thinking`. */
  readonly templateVariables?: Readonly<Record<string, unknown>>;
}

/** Turns messages into the prompt that the model was trained on, like transformers' `apply_chat_template`. */
export interface RenderableTemplate {
  readonly traits: TemplateTraits;
  /** @throws ExpertmeshError `invalid_argument` when the template refuses the messages or fails on them. */
  render(input: TemplateInput): string | Promise<string>;
  /** Another template for the same model. @throws ExpertmeshError `invalid_argument` when the text is no template. */
  replacedBy(text: string): RenderableTemplate | Promise<RenderableTemplate>;
}

/** What a template is made of. */
export interface TemplateSource {
  readonly text: string;
  /** Contents of the special tokens, by their names. */
  readonly specialTokens: Readonly<Record<string, string>>;
  /** The file that it was read from. */
  readonly path: string;
}

/**
 * A template whose program runs where this is called, for as long as it takes: what serves others has it run elsewhere
 * (template-process/).
 */
export class ChatTemplate implements RenderableTemplate {
  readonly traits: TemplateTraits;
  readonly #template: Template;
  readonly #specialTokens: Readonly<Record<string, string>>;

  /** @throws ExpertmeshError `invalid_argument` when the source is not a template. */
  constructor(source: string, specialTokens: Readonly<Record<string, string>>) {
    this.#specialTokens = specialTokens;
    this.traits = traitsOfTemplate(source);
    try {
      this.#template = new Template(source);
    } catch (cause) {
      throw new ExpertmeshError('invalid_argument', `The chat template cannot be parsed: ${String(cause)}`, { cause });
    }
  }

  /** Another template for the same model. */
  replacedBy(source: string): ChatTemplate {
    return new ChatTemplate(source, this.#specialTokens);
  }

  /** @throws ExpertmeshError `invalid_argument` when the template refuses the messages or fails on them. */
  render({ messages, tools, addGenerationPrompt, documents, templateVariables, ...input }: TemplateInput): string {
    const json = new ExactJson();
    const history = messages.map((message, index) => {
      const parsed = withParsedArguments(message, json);
      const isContinued = input.continueFinalMessage === true && index === messages.length - 1;
      return this.traits.stripsThinking || isContinued ? parsed : withoutThinking(parsed);
    });
    const rendered = this.#run({
      ...this.#specialTokens,
      ...(documents && { documents }),
      ...templateVariables,
      messages: input.continueFinalMessage ? withEndMark(history) : history,
      tools: tools ?? null,
      add_generation_prompt: addGenerationPrompt,
    });
    return json.restore(input.continueFinalMessage ? textToEndMark(rendered) : rendered);
  }

  #run(variables: Record<string, unknown>): string {
    try {
      return this.#template.render(variables);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw refusal(`The chat template refuses these messages: ${reason}`, cause);
    }
  }
}

/** Stands for the end of the last message's text. Unicode keeps the code point for use inside programs. */
const END_MARK = '\uFDD0';

function withEndMark(messages: readonly TemplateMessage[]): readonly TemplateMessage[] {
  const last = messages.at(-1);
  return last === undefined ? [] : [...messages.slice(0, -1), { ...last, content: `${last.content}${END_MARK}` }];
}

function textToEndMark(rendered: string): string {
  const end = rendered.lastIndexOf(END_MARK);
  if (end < 0) throw refusal('The chat template leaves out the text of the last message: it cannot be continued');
  return rendered.slice(0, end);
}

const refusal = (message: string, cause?: unknown): ExpertmeshError =>
  new ExpertmeshError('invalid_argument', message, { param: 'messages', cause });

/**
 * Reads chat_template.jinja of a model directory, or else `chat_template` of its tokenizer_config.json.
 *
 * @returns undefined for a model without one, which can complete text but not chat.
 */
export async function readChatTemplate(
  modelDir: string,
  specialTokens: Readonly<Record<string, string>>,
): Promise<TemplateSource | undefined> {
  const filePath = join(modelDir, 'chat_template.jinja');
  if (existsSync(filePath)) return { text: await readFile(filePath, 'utf8'), specialTokens, path: filePath };
  const configPath = join(modelDir, 'tokenizer_config.json');
  const text = await readConfigTemplate(configPath);
  return text === undefined ? undefined : { text, specialTokens, path: configPath };
}

/** The template that readChatTemplate finds, to be run here. */
export async function loadChatTemplate(
  modelDir: string,
  specialTokens: Readonly<Record<string, string>>,
): Promise<ChatTemplate | undefined> {
  const source = await readChatTemplate(modelDir, specialTokens);
  return source && new ChatTemplate(source.text, specialTokens);
}

const configSchema = z.object({ chat_template: z.string().nullish() });

async function readConfigTemplate(path: string): Promise<string | undefined> {
  const config = configSchema.safeParse(JSON.parse(await readFile(path, 'utf8')));
  if (!config.success) {
    throw new ExpertmeshError('unimplemented', `${path}: chat_template must be one template, a string`);
  }
  return config.data.chat_template ?? undefined;
}
