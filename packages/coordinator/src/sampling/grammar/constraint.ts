/** What an answer must look like; plain data that crosses threads. */
export type Constraint =
  | { readonly kind: 'json_object' }
  | { readonly kind: 'json_schema'; readonly schema: unknown }
  | { readonly kind: 'regex'; readonly pattern: string }
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  | { readonly kind: 'grammar'; readonly source: string }
  | {
      readonly kind: 'tool_calls';
      readonly format: ToolCallFormat;
      readonly tools: readonly ConstrainedTool[];
      readonly mode: 'auto' | 'required' | { readonly named: string };
      /** More than one call is allowed. */
      readonly parallel: boolean;
    };

/** How a model writes calls: JSON in `<tool_call>`, or Qwen3-Coder's `<function=...>` in it. */
export type ToolCallFormat = 'hermes' | 'qwen3_coder_xml';

export interface ConstrainedTool {
  readonly name: string;
  /** JSON Schema of the arguments. */
  readonly parameters: unknown;
  /** The arguments must match the schema. */
  readonly strict: boolean;
}
