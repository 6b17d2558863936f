import { z } from 'zod';
import { RequestError } from '../generation/request-error.js';
import { type Constraint, type JsonWhitespace } from '../sampling/grammar/constraint.js';
import { ofKnownType } from './known-type.js';
import { optional, unsupported } from './parse-request.js';

/** A JSON Schema, or the text of one. */
const jsonSchema = z.unknown().transform((value, context): unknown => {
  const schema = typeof value === 'string' ? parsed(value) : value;
  if (typeof schema === 'boolean' || (typeof schema === 'object' && schema !== null && !Array.isArray(schema)))
    return schema;
  context.addIssue({ code: 'custom', message: 'must be a JSON Schema, an object or the text of one' });
  return z.NEVER;
});

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The caller names what it should be.
    return undefined;
  }
}

const choices = z.array(z.string().min(1)).min(1);

const namedSchema = z.object({
  name: optional(z.string()),
  description: optional(z.string()),
  schema: optional(jsonSchema),
  // Answers always match.
  strict: optional(z.boolean()),
});

const responseFormat = ofKnownType(
  ['text', 'json_object', 'json_schema'],
  'this server knows text, json_object and json_schema',
  z.discriminatedUnion('type', [
    z.object({ type: z.literal('text') }),
    // llama.cpp's servers take a schema here, and Instructor sends one.
    z.object({ type: z.literal('json_object'), schema: optional(jsonSchema) }),
    z.object({ type: z.literal('json_schema'), json_schema: namedSchema }),
  ]),
);

/** vLLM's `StructuredOutputsParams`. */
const structuredOutputs = z.strictObject({
  json: optional(jsonSchema),
  json_object: optional(z.boolean()),
  regex: optional(z.string()),
  choice: optional(choices),
  grammar: optional(z.string()),
  structural_tag: unsupported(),
  disable_fallback: unsupported(false),
  disable_any_whitespace: optional(z.boolean()),
  disable_additional_properties: unsupported(false),
  whitespace_pattern: unsupported(),
});

/** What an answer must look like: OpenAI's field, and vLLM's in its newer and older form. One of them at most. */
export const constraintFields = {
  response_format: optional(responseFormat),
  structured_outputs: optional(structuredOutputs),
  guided_json: optional(jsonSchema),
  guided_regex: optional(z.string()),
  guided_choice: optional(choices),
  guided_grammar: optional(z.string()),
  guided_json_object: optional(z.boolean()),
  guided_decoding_backend: unsupported('auto'),
  guided_whitespace_pattern: unsupported(),
  structural_tag: unsupported(),
};

export type ConstraintFields = z.infer<z.ZodObject<typeof constraintFields>>;

interface NamedConstraint {
  /** The field that asks for it. */
  readonly field: string;
  readonly constraint: Constraint;
}

/** @throws RequestError when there is more than one. */
export function constraintOf(fields: ConstraintFields): NamedConstraint | undefined {
  const all = [...ofResponseFormat(fields), ...ofStructuredOutputs(fields), ...ofGuidedFields(fields)];
  const [first, second] = all;
  if (second === undefined) return first;
  const message = `${first?.field ?? ''} and ${second.field} both say what the answer must look like; send one of them`;
  throw new RequestError('invalid_value', message, second.field);
}

function ofResponseFormat({ response_format: format }: ConstraintFields): NamedConstraint[] {
  if (format === undefined || format.type === 'text') return [];
  const field = 'response_format';
  const { schema } = format.type === 'json_object' ? format : format.json_schema;
  return [{ field, constraint: schema === undefined ? { kind: 'json_object' } : { kind: 'json_schema', schema } }];
}

function ofStructuredOutputs({ structured_outputs: outputs }: ConstraintFields): NamedConstraint[] {
  if (outputs === undefined) return [];
  const format = outputs.disable_any_whitespace === true ? { whitespace: 'compact' as const } : {};
  return constraintsOf(outputs, format).map(([name, constraint]) => ({
    field: `structured_outputs.${name}`,
    constraint,
  }));
}

function ofGuidedFields(fields: ConstraintFields): NamedConstraint[] {
  const constraints = constraintsOf({
    json: fields.guided_json,
    json_object: fields.guided_json_object,
    regex: fields.guided_regex,
    choice: fields.guided_choice,
    grammar: fields.guided_grammar,
  });
  return constraints.map(([name, constraint]) => ({ field: `guided_${name}`, constraint }));
}

type Wanted = Pick<z.infer<typeof structuredOutputs>, 'json' | 'json_object' | 'regex' | 'choice' | 'grammar'>;

function constraintsOf(wanted: Wanted, format: { readonly whitespace?: JsonWhitespace } = {}): [string, Constraint][] {
  const { json, json_object: isObject, regex, choice, grammar } = wanted;
  const constraints: [string, Constraint][] = [];
  if (json !== undefined) constraints.push(['json', { kind: 'json_schema', schema: json, ...format }]);
  if (isObject === true) constraints.push(['json_object', { kind: 'json_object', ...format }]);
  if (regex !== undefined) constraints.push(['regex', { kind: 'regex', pattern: regex }]);
  if (choice !== undefined) constraints.push(['choice', { kind: 'choice', choices: choice }]);
  if (grammar !== undefined) constraints.push(['grammar', { kind: 'grammar', source: grammar }]);
  return constraints;
}
