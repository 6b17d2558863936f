/** What a chunk adds to an answer, in OpenAI's form. */
export interface ChunkDelta {
  readonly role?: string | null;
  readonly content?: string | null;
  readonly reasoning?: string | null;
  readonly reasoning_content?: string | null;
  readonly tool_calls?: readonly CallDelta[] | null;
}

interface CallDelta {
  readonly index: number;
  readonly id?: string | null;
  readonly type?: string | null;
  readonly function?: { readonly name?: string | null; readonly arguments?: string | null } | null;
}

/**
 * How much of an answer has been heard, over all streams that it came by. Each stream begins at the answer's beginning;
 * of each, only what no other one has told yet is news.
 */
export class HeardAnswer {
  readonly #heardChars = new Map<string, number>();
  #streamChars = new Map<string, number>();
  #tokenIds: number[] = [];
  #streamTokenIds: number[] = [];

  /** What the next stream has to be resumed with. */
  get tokenIds(): readonly number[] {
    return this.#tokenIds;
  }

  /** From here on another stream is heard. */
  beginStream(): void {
    this.#streamChars = new Map();
    this.#streamTokenIds = [];
  }

  hearTokens(tokenIds: readonly number[]): void {
    this.#streamTokenIds.push(...tokenIds);
    if (this.#streamTokenIds.length > this.#tokenIds.length) this.#tokenIds = [...this.#streamTokenIds];
  }

  /** The delta without what has been heard; undefined where nothing of it is left. */
  news(delta: ChunkDelta): ChunkDelta | undefined {
    const calls = (delta.tool_calls ?? []).flatMap((call) => this.#newsOfCall(call) ?? []);
    const news: ChunkDelta = {
      ...(this.#isFirst('role', delta.role) && { role: delta.role }),
      ...this.#newText('content', delta.content),
      ...this.#newText('reasoning', delta.reasoning),
      ...this.#newText('reasoning_content', delta.reasoning_content),
      ...(calls.length > 0 && { tool_calls: calls }),
    };
    return Object.keys(news).length === 0 ? undefined : news;
  }

  #newsOfCall(call: CallDelta): CallDelta | undefined {
    const { index, function: piece } = call;
    const isHead = this.#isFirst(`call ${String(index)}`, call.id);
    const text = this.#newChars(`arguments ${String(index)}`, piece?.arguments ?? '');
    if (isHead) return { ...call, function: { ...piece, arguments: text } };
    return text === '' ? undefined : { index, function: { arguments: text } };
  }

  #newText(field: 'content' | 'reasoning' | 'reasoning_content', text: string | null | undefined): Partial<ChunkDelta> {
    if (text === undefined || text === null) return {};
    if (text === '') return this.#isFirst(`${field} begins`, text) ? { [field]: text } : {};
    const news = this.#newChars(field, text);
    return news === '' ? {} : { [field]: news };
  }

  /** Ids are made anew by every stream, so that the first one counts. */
  #isFirst(what: string, value: string | null | undefined): boolean {
    if (value === undefined || value === null || this.#heardChars.has(what)) return false;
    this.#heardChars.set(what, 0);
    return true;
  }

  #newChars(what: string, text: string): string {
    const from = this.#streamChars.get(what) ?? 0;
    const heard = this.#heardChars.get(what) ?? 0;
    this.#streamChars.set(what, from + text.length);
    this.#heardChars.set(what, Math.max(heard, from + text.length));
    return text.slice(Math.max(0, heard - from));
  }
}
