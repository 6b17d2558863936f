import { z } from 'zod';
import { type ToolChoice, type ToolDefinition } from '../../generation/chat-request.js';
import { ofKnownTypeAs } from '../known-type.js';
import { optional } from '../parse-request.js';
import { templateFunction } from '../template-tool.js';

const toolSchema = z.object({
  name: z.string().min(1),
  description: optional(z.string()),
  input_schema: z.record(z.string(), z.unknown()),
  strict: optional(z.boolean()),
});

const SHOWN = { name: 'name', description: 'description', input_schema: 'parameters' };

/** A tool that the client runs; those that Anthropic defines or runs are refused by name. */
export const messageTool = ofKnownTypeAs(
  ['custom'],
  'this server knows tools with an input_schema only',
  toolSchema,
  ({ name, input_schema: parameters, strict = false }, source): ToolDefinition => ({
    source: templateFunction(source, SHOWN),
    name,
    parameters,
    strict,
  }),
);

const disableParallel = optional(z.boolean());

export const messageToolChoice = z.discriminatedUnion('type', [
  z.object({ type: z.literal('auto'), disable_parallel_tool_use: disableParallel }),
  z.object({ type: z.literal('any'), disable_parallel_tool_use: disableParallel }),
  z.object({ type: z.literal('tool'), name: z.string(), disable_parallel_tool_use: disableParallel }),
  z.object({ type: z.literal('none') }),
]);

type MessageToolChoice = z.infer<typeof messageToolChoice>;

export function toToolChoice(choice: MessageToolChoice | undefined): ToolChoice {
  switch (choice?.type) {
    case undefined:
    case 'auto':
      return 'auto';
    case 'any':
      return 'required';
    case 'tool':
      return { named: choice.name };
    case 'none':
      return 'none';
  }
}

export function allowsParallelCalls(choice: MessageToolChoice | undefined): boolean {
  return choice === undefined || choice.type === 'none' || choice.disable_parallel_tool_use !== true;
}
