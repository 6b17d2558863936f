import { type Constraint } from '../sampling/grammar/constraint.js';
import { type ToolOffer } from '../text/tool-call-parser.js';
import { type TemplateTraits } from '../text/template-traits.js';
import { type ChatRequest, type ToolChoice, type ToolDefinition } from './chat-request.js';
import { FieldError } from './request-error.js';

/** What a request makes of tools. */
export interface ToolPlan {
  /** Those that the template prints; absent where none are offered. */
  readonly tools: readonly ToolDefinition[] | undefined;
  readonly offer: ToolOffer | undefined;
  /** What keeps the answer to the tools, or else to what the request asks for. */
  readonly constraint: Constraint | undefined;
}

/**
 * Decides which tools are offered (none where the choice is `none`: the model cannot call what it does not know), and
 * what keeps the answer to them: a forced choice, or tools that are strict.
 *
 * @throws FieldError for choices that cannot be met.
 */
export function planTools(request: ChatRequest, traits: TemplateTraits): ToolPlan {
  const { tools = [], toolChoice = 'auto', constraint, parallelToolCalls = true } = request;
  checkChoice(toolChoice, tools);
  if (tools.length === 0 || toolChoice === 'none') return { tools: undefined, offer: undefined, constraint };
  if (!traits.takesTools) refuseTools();
  if (constraint !== undefined && toolChoice !== 'auto') refuseBoth();
  const offer = { format: traits.callFormat, tools };
  const isFree = toolChoice === 'auto' && constraint === undefined && !tools.some(({ strict }) => strict);
  if (isFree) return { tools, offer, constraint: undefined };
  const calls = {
    kind: 'tool_calls',
    format: offer.format,
    tools: tools.map(({ name, parameters, strict }) => ({ name, parameters, strict })),
    mode: toolChoice,
    parallel: parallelToolCalls,
    ...(constraint && { content: constraint }),
  } as const;
  return { tools, offer, constraint: calls };
}

function checkChoice(toolChoice: ToolChoice, tools: readonly ToolDefinition[]): void {
  if (toolChoice === 'auto' || toolChoice === 'none') return;
  const isNamed = typeof toolChoice === 'object';
  if (isNamed ? tools.some(({ name }) => name === toolChoice.named) : tools.length > 0) return;
  throw new FieldError('invalid_value', 'toolChoice', (nameOf) =>
    isNamed
      ? `${nameOf('toolChoice')} names ${toolChoice.named}, which is not among ${nameOf('tools')}`
      : `${nameOf('toolChoice')} is required, and ${nameOf('tools')} has none`,
  );
}

function refuseTools(): never {
  throw new FieldError(
    'unsupported_parameter',
    'tools',
    (nameOf) => `This model's chat template has no place for ${nameOf('tools')}; leave them out`,
  );
}

function refuseBoth(): never {
  throw new FieldError(
    'invalid_value',
    'constraint',
    (nameOf) =>
      `${nameOf('constraint')} leaves no room for the call that ${nameOf('toolChoice')} forces; leave one out`,
  );
}
