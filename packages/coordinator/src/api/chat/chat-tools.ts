import { z } from 'zod';
import { type ToolChoice, type ToolDefinition } from '../../generation/chat-request.js';
import { mustBe } from '../field-errors.js';
import { ofKnownType, ofKnownTypeAs } from '../known-type.js';
import { optional } from '../parse-request.js';

const functionSchema = z.object({
  name: z.string().min(1),
  description: optional(z.string()),
  parameters: optional(z.record(z.string(), z.unknown())),
  strict: optional(z.boolean()),
});

const toolSchema = z.object({ type: z.literal('function').default('function'), function: functionSchema });

/** A function; other tools are refused by name. */
export const chatTool = ofKnownTypeAs(
  ['function'],
  'this server knows functions only',
  toolSchema,
  ({ function: { name, parameters, strict = false } }, source): ToolDefinition => ({
    source: toTemplateTool(source as SourceOfTool),
    name,
    parameters,
    strict,
  }),
);

interface SourceOfTool {
  readonly function: object;
}

const SHOWN_OF_TOOL: readonly string[] = ['type', 'function'];
const SHOWN_OF_FUNCTION: readonly string[] = ['name', 'description', 'parameters'];

/** What the model sees of a tool, with its keys in the order in which the client wrote them. */
function toTemplateTool(tool: SourceOfTool): object {
  const shown = Object.entries(tool).filter(([key]) => SHOWN_OF_TOOL.includes(key));
  return { ...Object.fromEntries(shown), function: shownOf(tool.function) };
}

const shownOf = (definition: object): object =>
  Object.fromEntries(
    Object.entries(definition).filter(([key, value]) => SHOWN_OF_FUNCTION.includes(key) && value !== null),
  );

const namedFunction = z.object({ type: z.literal('function'), function: z.object({ name: z.string().min(1) }) });

/** `tool_choice`: a word, or a function by its name. */
export const chatToolChoice = ofKnownType(
  ['function'],
  'this server knows functions only',
  z
    .union([z.enum(['auto', 'none', 'required']), namedFunction], {
      error: mustBe('"auto", "none", "required" or {"type": "function", "function": {"name": "..."}}'),
    })
    .transform((choice): ToolChoice => (typeof choice === 'string' ? choice : { named: choice.function.name })),
);
