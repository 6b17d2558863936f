import { readFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** tokenizer_config.json of a model directory, for clients that want to tokenise as the server does. */
export type TokenizerInfo = Readonly<Record<string, unknown>>;

/** With the chat template where that is a file of its own, as vLLM gives it. */
export async function readTokenizerInfo(modelDir: string): Promise<TokenizerInfo> {
  const config = JSON.parse(await readFile(join(modelDir, 'tokenizer_config.json'), 'utf8')) as TokenizerInfo;
  const templatePath = join(modelDir, 'chat_template.jinja');
  const template = existsSync(templatePath) ? { chat_template: await readFile(templatePath, 'utf8') } : {};
  return { tokenizer_class: 'PreTrainedTokenizerFast', ...config, ...template };
}
