import { isNativeError } from 'node:util/types';
import { createContext, Script } from 'node:vm';
import { ExpertmeshError, toErrorData } from '@expertmesh/shared/errors/expertmesh-error';
import { ChatTemplate } from '../chat-template.js';
import { MAX_RENDERED_CHARS, TEMPLATE_TIMEOUT_MS, type TemplateAnswer, type TemplateTask } from './template-task.js';

/** Parsed templates that are kept: the model's own, and some that requests bring. */
const MAX_KNOWN = 4;

const known = new Map<string, ChatTemplate>();
const script = new Script('act()');
const context = createContext({ act: (): void => undefined });

/** Does a task, or gives up after `timeoutMs` of it, wherever the template is by then. */
export function answerTask(task: TemplateTask, timeoutMs = TEMPLATE_TIMEOUT_MS): TemplateAnswer {
  try {
    return { text: withinTime(timeoutMs, () => boundedText(task)) };
  } catch (thrown) {
    return { error: toErrorData(isTimeout(thrown) ? tooSlow(timeoutMs, thrown) : thrown) };
  }
}

// V8 interrupts all that runs in a script's call, whichever context its functions are of.
function withinTime<T>(timeoutMs: number, act: () => T): T {
  const results: T[] = [];
  context['act'] = () => {
    results.push(act());
  };
  script.runInContext(context, { timeout: timeoutMs });
  const [result] = results;
  if (result === undefined) throw new ExpertmeshError('internal', 'the script of a template did not call it');
  return result;
}

function boundedText({ source, specialTokens, input }: TemplateTask): string {
  const template = templateOf(source, specialTokens);
  const text = input === undefined ? '' : template.render(input);
  if (text.length <= MAX_RENDERED_CHARS) return text;
  throw refusal(
    `The chat template makes ${String(text.length)} characters of these messages, at most ` +
      `${String(MAX_RENDERED_CHARS)} are taken: shorten the messages, or mend the template`,
  );
}

function templateOf(source: string, specialTokens: TemplateTask['specialTokens']): ChatTemplate {
  const key = JSON.stringify([source, specialTokens]);
  const template = known.get(key) ?? new ChatTemplate(source, specialTokens);
  known.delete(key);
  known.set(key, template);
  for (const oldest of known.keys()) if (known.size > MAX_KNOWN) known.delete(oldest);
  return template;
}

// The error is of the script's context, and so no instance of this one's Error.
const isTimeout = (thrown: unknown): boolean =>
  isNativeError(thrown) && 'code' in thrown && thrown.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';

const tooSlow = (timeoutMs: number, cause: unknown): ExpertmeshError =>
  refusal(
    `The chat template was not done with these messages after ${String(timeoutMs / 1000)} s: ` +
      'shorten the messages, or mend the template',
    cause,
  );

const refusal = (message: string, cause?: unknown): ExpertmeshError =>
  new ExpertmeshError('invalid_argument', message, { param: 'messages', cause });
