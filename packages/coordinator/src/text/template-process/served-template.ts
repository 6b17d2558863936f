import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { ChatTemplate, type RenderableTemplate, type TemplateInput, type TemplateSource } from '../chat-template.js';
import { type TemplateTraits, traitsOfTemplate } from '../template-traits.js';
import { isReadTemplate, isSmallInput } from './quick-render.js';
import { type TemplateProcess } from './template-process.js';

/** The longest that models have come with are some ten thousand characters. */
const MAX_SOURCE_CHARS = 1024 * 1024;

/**
 * A chat template whose program runs in a process of its own; one that has been read renders short conversations here,
 * which saves them the way there.
 */
export class ServedTemplate implements RenderableTemplate {
  readonly traits: TemplateTraits;
  readonly #source: TemplateSource;
  readonly #process: TemplateProcess;
  readonly #quick: ChatTemplate | undefined;

  private constructor(source: TemplateSource, process: TemplateProcess) {
    this.traits = traitsOfTemplate(source.text);
    this.#source = source;
    this.#process = process;
    this.#quick = isReadTemplate(source.text) ? new ChatTemplate(source.text, source.specialTokens) : undefined;
  }

  /**
   * A template that has rendered a question, as every template must.
   *
   * @throws ExpertmeshError `invalid_argument` naming its file where it cannot, or takes too much time or memory.
   */
  static async open(source: TemplateSource, process: TemplateProcess): Promise<ServedTemplate> {
    try {
      checkLength(source);
      const template = new ServedTemplate(source, process);
      await template.render({ messages: [{ role: 'user', content: 'hi' }], addGenerationPrompt: true });
      return template;
    } catch (thrown) {
      const cause = ExpertmeshError.from(thrown);
      throw new ExpertmeshError(
        cause.code,
        `${source.path}: the chat template does not render a question: ${cause.message}. Mend it; ` +
          'a model without one completes text',
        { cause },
      );
    }
  }

  /** Errors as TemplateProcess.run. */
  async render(input: TemplateInput): Promise<string> {
    if (this.#quick !== undefined && isSmallInput(input)) return this.#quick.render(input);
    const { text: source, specialTokens } = this.#source;
    return this.#process.run({ source, specialTokens, input });
  }

  /** @throws ExpertmeshError `invalid_argument` for a text that is no template. */
  async replacedBy(text: string): Promise<ServedTemplate> {
    const source = { ...this.#source, text, path: 'the request' };
    checkLength(source);
    await this.#process.run({ source: text, specialTokens: source.specialTokens, input: undefined });
    return new ServedTemplate(source, this.#process);
  }
}

function checkLength({ text }: TemplateSource): void {
  if (text.length <= MAX_SOURCE_CHARS) return;
  throw new ExpertmeshError(
    'invalid_argument',
    `The chat template has ${String(text.length)} characters, at most ${String(MAX_SOURCE_CHARS)} are taken`,
  );
}
