import { type TemplateInput, loadChatTemplate } from '@expertmesh/coordinator/text/chat-template';
import { IncrementalDetokenizer } from '@expertmesh/coordinator/text/incremental-detokenizer';
import { loadTokenizer } from '@expertmesh/coordinator/text/tokenizer';
import { describe, expect, it } from 'vitest';
import { type ConversationGolden, loadTextGolden, textGoldenNames } from './text-golden.js';

describe.each(textGoldenNames)('text of %s', async (name) => {
  const golden = loadTextGolden(name);
  const tokenizer = await loadTokenizer(golden.tokenizerDir);
  const chatTemplate = await loadChatTemplate(golden.tokenizerDir, tokenizer.specialTokens);

  it('encodes every string into the tokens of transformers', async () => {
    for (const { text, ids } of golden.strings) expect(await tokenizer.encode(text), text).toEqual(ids);
  });

  it('decodes every string as transformers does, with and without control tokens', () => {
    for (const { text, ids, decoded, decodedWithoutSpecial } of golden.strings) {
      expect(tokenizer.decode(ids), text).toBe(decoded);
      expect(tokenizer.decode(ids, { skipSpecialTokens: true }), text).toBe(decodedWithoutSpecial);
    }
  });

  it('decodes tokens that end within a character as transformers does', () => {
    for (const { ids, decodedPrefixes } of golden.cutStrings) {
      expect(ids.map((_, i) => tokenizer.decode(ids.slice(0, i + 1)))).toEqual(decodedPrefixes);
    }
  });

  it('detokenises token by token into the same text', () => {
    for (const { ids, decodedWithoutSpecial } of golden.strings) {
      const detokenizer = new IncrementalDetokenizer(tokenizer, { skipSpecialTokens: true });
      const pieces = ids.map((id) => detokenizer.push([id]));
      expect(pieces.join('') + detokenizer.flush()).toBe(decodedWithoutSpecial);
    }
  });

  it.each(golden.conversations)('renders and encodes the conversation: $name', async (conversation) => {
    const rendered = chatTemplate?.render(templateInput(conversation)) ?? '';
    expect(rendered).toBe(conversation.rendered);
    expect(await tokenizer.encode(rendered)).toEqual(conversation.ids);
  });
});

/** Some conversations are looser than the API lets through, as templates accept them: hence the cast. */
function templateInput({ messages, tools, options }: ConversationGolden): TemplateInput {
  const { add_generation_prompt: addGenerationPrompt, ...templateVariables } = options;
  return {
    messages: messages as TemplateInput['messages'],
    addGenerationPrompt,
    templateVariables,
    ...(tools && { tools }),
  };
}
