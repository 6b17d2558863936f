import { describe, expect, it } from 'vitest';
import { ChatTemplate, loadChatTemplate } from './chat-template.js';

const user = [{ role: 'user', content: 'hi' }] as const;

describe('ChatTemplate', () => {
  it('renders messages, special tokens and variables of the template', () => {
    const template = new ChatTemplate(
      '{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}{% if ' +
        'add_generation_prompt %}> {{ mood }}{% endif %}',
      { bos_token: '<s>' },
    );
    expect(template.render({ messages: user, addGenerationPrompt: true, templateVariables: { mood: 'calm' } })).toBe(
      '<s>[user] hi> calm',
    );
    expect(template.render({ messages: user, addGenerationPrompt: false })).toBe('<s>[user] hi');
  });

  it('does not let variables of a request replace messages', () => {
    const template = new ChatTemplate('{{ messages[0].content }}', {});
    const input = { messages: user, addGenerationPrompt: true, templateVariables: { messages: [] } };
    expect(template.render(input)).toBe('hi');
  });

  it("passes on the template's own refusal as the client's fault", () => {
    const template = new ChatTemplate("{{ raise_exception('roles must alternate') }}", {});
    expect(() => template.render({ messages: user, addGenerationPrompt: true })).toThrow(
      expect.objectContaining({
        code: 'invalid_argument',
        param: 'messages',
        message: expect.stringContaining('roles must alternate') as string,
      }) as Error,
    );
  });

  it('survives tools that are nested too deeply to print', () => {
    const template = new ChatTemplate('{{ tools | tojson }}', {});
    const tools = JSON.parse(`${'['.repeat(20_000)}${']'.repeat(20_000)}`) as unknown[];
    expect(() => template.render({ messages: user, tools, addGenerationPrompt: true })).toThrow(
      expect.objectContaining({ code: 'invalid_argument' }) as Error,
    );
  });

  it('refuses a source that is not a template', () => {
    expect(() => new ChatTemplate('{% for %}', {})).toThrow(
      expect.objectContaining({ code: 'invalid_argument' }) as Error,
    );
  });

  it('switches thinking off in the demo model', async () => {
    const template = await loadChatTemplate('models/qwen3-moe-demo', {});
    const rendered = template?.render({
      messages: user,
      addGenerationPrompt: true,
      templateVariables: { enable_thinking: false },
    });
    expect(rendered).toBe('<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n');
  });
});
