import { type ExactJson } from './exact-json.js';
import { type TemplateMessage, type TemplateToolCall } from './template-message.js';

/**
 * Arguments of calls as templates expect them, objects: clients send them as JSON in a string, and nothing where there
 * are none. What is no JSON object, such as a call that was cut, stays as it is.
 */
export function withParsedArguments(message: TemplateMessage, json: ExactJson): TemplateMessage {
  if (message.tool_calls === undefined) return message;
  return { ...message, tool_calls: message.tool_calls.map((call) => parsedCall(call, json)) };
}

function parsedCall(call: TemplateToolCall, json: ExactJson): TemplateToolCall {
  if (call.function === undefined) return call;
  const { arguments: args } = call.function;
  const parsed = typeof args === 'string' ? parsedArguments(args, json) : (args ?? {});
  return { ...call, function: { ...call.function, arguments: parsed } };
}

function parsedArguments(text: string, json: ExactJson): unknown {
  if (text.trim() === '') return {};
  try {
    const value = json.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : text;
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return text;
    throw thrown;
  }
}

/** Thinking at the beginning of an earlier answer's text. */
const THINKING = /^\s*<think>[^]*?<\/think>\s*/u;

/** For templates that do not do it: models are trained on histories without the thinking of earlier turns. */
export function withoutThinking(message: TemplateMessage): TemplateMessage {
  if (message.role !== 'assistant') return message;
  return { ...message, content: message.content.replace(THINKING, '') };
}
