import { type ThinkingControl } from '../sampling/sampling-params.js';
import { type RenderableTemplate } from '../text/chat-template.js';
import { opensThinking, THINK_CLOSE, THINK_OPEN } from '../text/reasoning-splitter.js';
import { chatTemplateOf } from './chat-template-of.js';
import { type ChatRequest } from './chat-request.js';
import { type ChatGeneration } from './generate-chat.js';
import { thinkingProbability } from './probe-thinking.js';
import { promptTokens } from './prompt-tokens.js';
import { FieldError } from './request-error.js';
import { type ServedModel } from './served-model.js';
import { planThinking, type ThinkingPlan } from './thinking-plan.js';
import { planTools, type ToolPlan } from './tool-plan.js';

/** What closes thinking, with the whitespace that Qwen3's templates have around it. */
const CLOSING = `\n${THINK_CLOSE}\n\n`;

/**
 * Renders the template, decides on thinking, builds the constraint that tools ask for, and tokenises. With thinking
 * left to the model (`auto`) it asks the engine, which `signal` ends.
 *
 * @throws FieldError when the request cannot be served as it is, ExpertmeshError when the template refuses the
 * messages.
 */
export async function prepareChat(
  model: ServedModel,
  request: ChatRequest,
  signal: AbortSignal = new AbortController().signal,
): Promise<ChatGeneration> {
  const template = await chatTemplateOf(model, request);
  checkContinuation(request);
  const tools = planTools(request, template.traits);
  const asked = planThinking(request);
  const draft = { model, request, template, tools };
  const plan = { ...asked, mode: asked.mode === 'auto' ? await decideThinking(draft, signal) : asked.mode };
  const prompt = await promptOf(draft, plan.mode);
  return {
    request: {
      ...request.generation,
      promptTokenIds: await tokensOf(draft, prompt),
      constraint: tools.constraint,
      thinking: await thinkingControl(draft, plan, prompt),
    },
    startsInThinking: isInThinking(request, prompt),
    toolOffer: tools.offer,
    parallelToolCalls: request.parallelToolCalls ?? true,
  };
}

interface Draft {
  readonly model: ServedModel;
  readonly request: ChatRequest;
  readonly template: RenderableTemplate;
  readonly tools: ToolPlan;
}

/** @param mode Absent leaves thinking to the template. */
async function promptOf({ request, template, tools }: Draft, mode: boolean | undefined): Promise<string> {
  const { messages, continueFinalMessage = false, documents, templateVariables } = request;
  const prompt = await template.render({
    messages,
    ...(tools.tools && { tools: tools.tools.map(({ source }) => source) }),
    addGenerationPrompt: request.addGenerationPrompt ?? !continueFinalMessage,
    continueFinalMessage,
    documents,
    templateVariables: { ...templateVariables, ...(mode !== undefined && { enable_thinking: mode }) },
  });
  // Templates of models that always think open it in the prompt; closed at once it is skipped.
  return mode === false && !continueFinalMessage && opensThinking(prompt) ? `${prompt.trimEnd()}\n${CLOSING}` : prompt;
}

const tokensOf = ({ model, request: { generation } }: Draft, prompt: string): Promise<number[]> =>
  promptTokens(model, prompt, generation.truncatePromptTokens !== undefined);

/** Asks the model where it can choose. */
async function decideThinking(draft: Draft, signal: AbortSignal): Promise<boolean | undefined> {
  const { model, request, template } = draft;
  if (!template.traits.switchesThinking || request.continueFinalMessage) return undefined;
  const promptTokenIds = await tokensOf(draft, await promptOf(draft, true));
  const probability = await thinkingProbability(model, { ...request.generation, promptTokenIds }, signal);
  model.logger?.info({ thinkingProbability: probability, thinks: probability >= 0.5 }, 'thinking left to the model');
  return probability >= 0.5;
}

/** Absent for models that cannot think. */
async function thinkingControl(
  { model: { tokenizer }, request, template }: Draft,
  { mode, budgetTokens }: ThinkingPlan,
  prompt: string,
): Promise<ThinkingControl | undefined> {
  const openTokenId = tokenizer.idOf(THINK_OPEN);
  const closeTokenId = tokenizer.idOf(THINK_CLOSE);
  if (!template.traits.knowsThinking || openTokenId === undefined || closeTokenId === undefined) return undefined;
  const isContinued = request.continueFinalMessage === true;
  const isSkipped = mode === false || isContinued || prompt.trimEnd().endsWith(THINK_CLOSE);
  return {
    begins: isInThinking(request, prompt) ? 'inside' : isSkipped ? 'never' : 'may-open',
    openTokenId,
    closeTokenId,
    ...(budgetTokens !== undefined && { budgetTokens }),
    closingTokenIds: await tokenizer.encode(CLOSING),
  };
}

/** An answer that is continued may have been cut in its thinking. */
function isInThinking({ messages, continueFinalMessage }: ChatRequest, prompt: string): boolean {
  if (!continueFinalMessage) return opensThinking(prompt);
  const { content = '' } = messages.at(-1) ?? {};
  return content.lastIndexOf(THINK_OPEN) > content.lastIndexOf(THINK_CLOSE);
}

function checkContinuation({ messages, continueFinalMessage, addGenerationPrompt }: ChatRequest): void {
  if (!continueFinalMessage) return;
  if (addGenerationPrompt === true) {
    throw new FieldError(
      'invalid_value',
      'continueFinalMessage',
      (nameOf) => `${nameOf('continueFinalMessage')} goes only without ${nameOf('addGenerationPrompt')}`,
    );
  }
  const role = messages.at(-1)?.role ?? 'none';
  if (role === 'assistant') return;
  throw new FieldError(
    'invalid_value',
    'continueFinalMessage',
    (nameOf) =>
      `${nameOf('continueFinalMessage')} needs an assistant's message at the end; the last is of role ${role}`,
  );
}
