import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { QWEN3_TOKENIZER_DIR } from './qwen3-vocabulary.js';

/** The template of Qwen3, as its tokenizer ships it. */
export function qwen3Template(): string {
  const config: unknown = JSON.parse(readFileSync(join(QWEN3_TOKENIZER_DIR, 'tokenizer_config.json'), 'utf8'));
  return (config as { readonly chat_template: string }).chat_template;
}

/** What is special about Qwen3-Coder's template: XML calls, made of the items of arguments that must be an object. */
export const CODER_TEMPLATE = [
  '{%- if tools %}<|im_start|>system\n<tools>{% for tool in tools %}\n<function>\n<name>{{ tool.function.name ' +
    '}}</name>',
  '{% endfor %}\n</tools>\nCall as <tool_call>\n<function=example>\n</function>\n</tool_call><|im_end|>\n{% endif %}',
  "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\n' + message.content }}",
  '{%- for call in message.tool_calls or [] %}',
  "{{- '<tool_call>\n<function=' + call.function.name + '>\n' }}",
  '{%- for name, value in call.function.arguments|items %}',
  "{{- '<parameter=' + name + '>\n' }}",
  '{%- set text = value | tojson | safe if value is mapping or (value is sequence and value is not string) else ' +
    'value | string %}',
  "{{- text + '\n</parameter>\n' }}{%- endfor %}{{- '</function>\n</tool_call>' }}{%- endfor %}",
  "{{- '<|im_end|>\n' }}{%- endfor %}",
  "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}",
].join('');

/**
 * What is special about the template of Qwen3-Thinking-2507: the prompt opens thinking, and nothing switches it off.
 */
export const THINKING_TEMPLATE = [
  '{%- for message in messages %}{%- set content = message.content %}',
  "{%- if '</think>' in content %}{%- set content = content.split('</think>')[-1].lstrip('\n') %}{%- endif %}",
  "{{- '<|im_start|>' + message.role + '\n' + content + '<|im_end|>\n' }}{%- endfor %}",
  "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n<think>\n' }}{%- endif %}",
].join('');
