import { type TemplateMessage } from '../text/template-message.js';
import { type ChatRequest, type ReasoningEffort } from './chat-request.js';
import { checkNumber } from './field-limits.js';
import { FieldError } from './request-error.js';

/** What a request makes of thinking, before the model is asked. */
export interface ThinkingPlan {
  /** Absent leaves it to the template; the model decides where it is `auto`. */
  readonly mode: boolean | 'auto' | undefined;
  /** Absent for no bound. */
  readonly budgetTokens: number | undefined;
}

/** Tokens of thinking; `xhigh` has no bound but the answer's, and `none` is no thinking. */
const BUDGET_OF_EFFORT: Readonly<Record<ReasoningEffort, number | undefined>> = {
  none: undefined,
  minimal: 512,
  low: 2048,
  medium: 8192,
  high: 24_576,
  xhigh: undefined,
};

/**
 * Puts together what a request says about thinking, the first that says something: the mode, the template's variable
 * `enable_thinking`, a budget of 0, an effort. Under `auto`, a soft switch in the messages decides, and without one the
 * model. Where thinking is on, soft switches are the model's to follow, and where it is off they have no effect, as
 * Qwen3's card says (https://huggingface.co/Qwen/Qwen3-30B-A3B).
 *
 * @throws FieldError for a budget that is none, and for an `enable_thinking` that is none of the three.
 */
export function planThinking({ messages, thinking = {}, templateVariables }: ChatRequest): ThinkingPlan {
  const { effort } = thinking;
  checkNumber('thinkingBudget', thinking.budgetTokens, { min: 0, max: Number.MAX_SAFE_INTEGER, isInteger: true });
  const budgetTokens = thinking.budgetTokens ?? (effort && BUDGET_OF_EFFORT[effort]);
  const asked =
    thinking.mode ??
    modeOfVariable(templateVariables?.['enable_thinking']) ??
    (budgetTokens === 0 ? false : undefined) ??
    (effort && effort !== 'none');
  const decided = budgetTokens === 0 ? false : (softSwitch(messages) ?? 'auto');
  return { mode: asked === 'auto' ? decided : asked, budgetTokens };
}

/** Templates take whatever is not exactly `false` for true, so a "false" in quotes would do the opposite. */
function modeOfVariable(value: unknown): boolean | 'auto' | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'boolean' || value === 'auto') return value;
  throw new FieldError(
    'invalid_value',
    'templateVariables',
    (nameOf) => `enable_thinking in ${nameOf('templateVariables')} must be true, false or "auto"`,
  );
}

/** The latest `/think` or `/no_think` of the system's and the user's messages; true for the first of them. */
function softSwitch(messages: readonly TemplateMessage[]): boolean | undefined {
  for (const { role, content } of messages.toReversed()) {
    if (role !== 'system' && role !== 'user') continue;
    const last = [...content.matchAll(/(?<!\S)\/(no_)?think(?![\w/])/gu)].at(-1);
    if (last !== undefined) return last[1] === undefined;
  }
  return undefined;
}
