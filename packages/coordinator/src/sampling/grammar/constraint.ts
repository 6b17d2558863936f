/** What an answer must look like: plain data, which crosses threads. */
export type Constraint =
  /** Any JSON object. */
  | { readonly kind: 'json_object'; readonly whitespace?: JsonWhitespace }
  /** JSON that a schema (drafts 6 to 2020-12, see schema-keywords.ts for what is taken) holds to be valid. */
  | { readonly kind: 'json_schema'; readonly schema: unknown; readonly whitespace?: JsonWhitespace }
  /** The whole answer matches an ECMAScript pattern, as with the flags `u` and `v` off and on. */
  | { readonly kind: 'regex'; readonly pattern: string }
  /** One of the texts. */
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  /** GBNF as llama.cpp and the EBNF of XGrammar write it; the first rule is `root`. */
  | { readonly kind: 'grammar'; readonly source: string }
  | {
      readonly kind: 'tool_calls';
      readonly format: ToolCallFormat;
      readonly tools: readonly ConstrainedTool[];
      /** Free text, and calls once `<tool_call>` is written; at least one call; or one call of this tool. */
      readonly mode: 'auto' | 'required' | { readonly named: string };
      /** Whether more than one call may be made. */
      readonly parallel: boolean;
      /** With `auto`: what an answer without calls must look like; it is free text if absent. */
      readonly content?: Constraint;
    };

/** Up to 64 characters of whitespace where JSON allows it; or none, which leaves more to jump over. */
export type JsonWhitespace = 'free' | 'compact';

/** How a model writes calls: JSON in `<tool_call>`, or the `<function=...>` of Qwen3-Coder in it. */
export type ToolCallFormat = 'hermes' | 'qwen3_coder_xml';

export interface ConstrainedTool {
  readonly name: string;
  /** JSON Schema of an object; undefined stands for any object. */
  readonly parameters: unknown;
  /** Whether parameters that cannot be enforced are refused; otherwise such a tool takes any object. */
  readonly strict: boolean;
}
