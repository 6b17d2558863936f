import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Template } from '@huggingface/jinja';
import { z } from 'zod';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';

export interface TemplateToolCall {
  readonly id?: string | undefined;
  readonly type: 'function';
  readonly function: { readonly name: string; readonly arguments: unknown };
}

/** A message as templates expect it: text content, and thinking apart. */
export interface TemplateMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: string;
  readonly reasoning_content?: string;
  readonly tool_calls?: readonly TemplateToolCall[];
  readonly tool_call_id?: string;
  readonly name?: string;
}

export interface TemplateInput {
  readonly messages: readonly TemplateMessage[];
  /** Function definitions in OpenAI's form, as the client wrote them: templates print them as JSON. */
  readonly tools?: readonly unknown[];
  readonly addGenerationPrompt: boolean;
  /** Variables of the template's own, such as `enable_thinking`. */
  readonly templateVariables?: Readonly<Record<string, unknown>>;
}

/** Turns messages into the prompt that the model was trained on, like transformers' `apply_chat_template`. */
export class ChatTemplate {
  readonly #template: Template;
  readonly #specialTokens: Readonly<Record<string, string>>;

  /** @throws ExpertmeshError `invalid_argument` when the source is not a template. */
  constructor(source: string, specialTokens: Readonly<Record<string, string>>) {
    this.#specialTokens = specialTokens;
    try {
      this.#template = new Template(source);
    } catch (cause) {
      throw new ExpertmeshError('invalid_argument', `The chat template cannot be parsed: ${String(cause)}`, { cause });
    }
  }

  /** @throws ExpertmeshError `invalid_argument` when the template refuses the messages or fails on them. */
  render({ messages, tools, addGenerationPrompt, templateVariables }: TemplateInput): string {
    try {
      return this.#template.render({
        ...this.#specialTokens,
        ...templateVariables,
        messages,
        tools: tools ?? null,
        add_generation_prompt: addGenerationPrompt,
      });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new ExpertmeshError('invalid_argument', `The chat template refuses these messages: ${reason}`, {
        param: 'messages',
        cause,
      });
    }
  }
}

/**
 * Reads chat_template.jinja of a model directory, or else `chat_template` of its tokenizer_config.json.
 *
 * @returns undefined for a model without one, which can complete text but not chat.
 */
export async function loadChatTemplate(
  modelDir: string,
  specialTokens: Readonly<Record<string, string>>,
): Promise<ChatTemplate | undefined> {
  const source = (await readTemplateFile(modelDir)) ?? (await readConfigTemplate(modelDir));
  return source === undefined ? undefined : new ChatTemplate(source, specialTokens);
}

async function readTemplateFile(modelDir: string): Promise<string | undefined> {
  const path = join(modelDir, 'chat_template.jinja');
  return existsSync(path) ? readFile(path, 'utf8') : undefined;
}

const configSchema = z.object({ chat_template: z.string().nullish() });

async function readConfigTemplate(modelDir: string): Promise<string | undefined> {
  const path = join(modelDir, 'tokenizer_config.json');
  const config = configSchema.safeParse(JSON.parse(await readFile(path, 'utf8')));
  if (!config.success) {
    throw new ExpertmeshError('unimplemented', `${path}: chat_template must be one template, a string`);
  }
  return config.data.chat_template ?? undefined;
}
