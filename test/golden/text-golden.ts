import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** What transformers' tokenizer makes of the strings and conversations in text_cases.py. */
export interface TextGolden {
  /** Absolute path of the folder with tokenizer.json and tokenizer_config.json. */
  readonly tokenizerDir: string;
  readonly strings: readonly StringGolden[];
  /** Token lists that end within a character. */
  readonly cutStrings: readonly CutStringGolden[];
  readonly conversations: readonly ConversationGolden[];
}

export interface StringGolden {
  readonly text: string;
  readonly ids: readonly number[];
  readonly decoded: string;
  readonly decodedWithoutSpecial: string;
}

export interface CutStringGolden {
  readonly ids: readonly number[];
  /** Entry i is the text of the first i + 1 tokens. */
  readonly decodedPrefixes: readonly string[];
}

export interface ConversationGolden {
  readonly name: string;
  readonly messages: readonly unknown[];
  readonly tools?: readonly unknown[];
  readonly options: { readonly add_generation_prompt: boolean; readonly enable_thinking?: boolean };
  /** The prompt as text. */
  readonly rendered: string;
  readonly ids: readonly number[];
}

export const textGoldenNames = ['qwen3-moe-demo', 'qwen3'] as const;

export function loadTextGolden(name: (typeof textGoldenNames)[number]): TextGolden {
  const file = join(import.meta.dirname, 'data/text', `${name}.json`);
  const { tokenizer, ...golden } = JSON.parse(readFileSync(file, 'utf8')) as TextGolden & {
    readonly tokenizer: string;
  };
  return { ...golden, tokenizerDir: resolve(import.meta.dirname, '../..', tokenizer) };
}
