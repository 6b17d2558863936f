/** A message as templates expect it: text content, and thinking apart. */
export interface TemplateMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: string;
  readonly reasoning_content?: string;
  readonly tool_calls?: readonly TemplateToolCall[];
  readonly tool_call_id?: string;
  readonly name?: string;
}

export interface TemplateToolCall {
  readonly id?: string | undefined;
  readonly type: 'function';
  /**
   * Arguments may be JSON in a string, as clients send them, or values: templates get objects. Templates take calls
   * without this wrapper, too.
   */
  readonly function?: { readonly name: string; readonly arguments?: unknown };
}
