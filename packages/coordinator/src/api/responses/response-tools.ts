import { z } from 'zod';
import { type ToolChoice, type ToolDefinition } from '../../generation/chat-request.js';
import { type Constraint } from '../../sampling/grammar/constraint.js';
import { mustBe } from '../field-errors.js';
import { ofKnownType, ofKnownTypeAs } from '../known-type.js';
import { optional } from '../parse-request.js';
import { templateFunction } from '../template-tool.js';

const schemaObject = z.record(z.string(), z.unknown());

const functionSchema = z.object({
  type: z.literal('function'),
  name: z.string().min(1),
  description: optional(z.string()),
  parameters: optional(schemaObject),
  strict: optional(z.boolean()),
});

const SHOWN = { name: 'name', description: 'description', parameters: 'parameters' };

/** A function; tools that OpenAI's servers run are refused by name. */
export const functionTool = ofKnownTypeAs(
  ['function'],
  'this server runs no tools, it knows functions only',
  functionSchema,
  ({ name, parameters, strict = false }, source): ToolDefinition => ({
    source: templateFunction(source, SHOWN),
    name,
    parameters,
    strict,
  }),
);

/** `tool_choice`: a word, or a function by its name. */
export const toolChoice = ofKnownType(
  ['function'],
  'this server knows functions only',
  z
    .union([z.enum(['auto', 'none', 'required']), z.object({ type: z.literal('function'), name: z.string() })], {
      error: mustBe('"auto", "none", "required" or {"type": "function", "name": "..."}'),
    })
    .transform((choice): ToolChoice => (typeof choice === 'string' ? choice : { named: choice.name })),
);

/** `text.format`; undefined for plain text. */
export const textFormat = z
  .discriminatedUnion('type', [
    z.object({ type: z.literal('text') }),
    z.object({ type: z.literal('json_object') }),
    z.object({
      type: z.literal('json_schema'),
      name: optional(z.string()),
      description: optional(z.string()),
      schema: schemaObject,
      strict: optional(z.boolean()),
    }),
  ])
  .transform((format): { readonly shown: object; readonly constraint: Constraint | undefined } => ({
    shown: format,
    constraint: toConstraint(format),
  }));

function toConstraint(
  format: { readonly type: 'text' | 'json_object' } | { readonly type: 'json_schema'; readonly schema: unknown },
): Constraint | undefined {
  switch (format.type) {
    case 'text':
      return undefined;
    case 'json_object':
      return { kind: 'json_object' };
    case 'json_schema':
      return { kind: 'json_schema', schema: format.schema };
  }
}
