import { type PartList } from '../part-list.js';
import { isStringOnly, typesOfArgument } from './argument-types.js';
import { jsonOfArgument } from './json-of-argument.js';
import { type Parsing, type TextStream } from './text-stream.js';
import { type CallContext } from './call-syntax.js';

const OPEN = '<tool_call>';
const CLOSE = '</tool_call>';
const FUNCTION_OPEN = '<function=';
const FUNCTION_CLOSE = '</function>';
const PARAMETER_OPEN = '<parameter=';
const PARAMETER_CLOSE = '</parameter>';
const MAX_NAME_CHARS = 256;

/**
 * Qwen3-Coder's `<tool_call><function=NAME><parameter=KEY>VALUE</parameter></function></tool_call>`, with a newline
 * around each value that is no part of it. Arguments come out as JSON, typed by the tool's schema; strings come as they
 * are written. Closing tags may be missing, and those inside a value are text.
 */
export function* parseCoderCall(stream: TextStream, opening: number, context: CallContext): Parsing<boolean> {
  const { parts } = context;
  const head = yield* readHead(stream, opening);
  if (head === undefined) return false;
  stream.take(head.end);
  parts.startCall(head.name);
  const schema = context.tools.find(({ name }) => name === head.name)?.parameters;
  let isFirst = true;
  for (let key = yield* takeKey(stream); key !== undefined; key = yield* takeKey(stream)) {
    parts.addArguments(`${isFirst ? '{' : ', '}${JSON.stringify(key)}: `);
    isFirst = false;
    const types = typesOfArgument(schema, key);
    const isComplete = isStringOnly(types)
      ? yield* passString(stream, parts)
      : yield* passTyped(stream, parts, (text) => jsonOfArgument(text, types));
    if (!isComplete) return true;
  }
  const hasEnded = yield* takeClosing(stream);
  if (hasEnded || !context.isCut()) parts.addArguments(isFirst ? '{}' : '}');
  return true;
}

interface Named {
  readonly name: string;
  readonly end: number;
}

/** The name of the function, where its parameters or its end follow. */
function* readHead(stream: TextStream, opening: number): Parsing<Named | undefined> {
  const hasOuter = yield* stream.startsWith(OPEN, opening);
  const start = hasOuter ? yield* stream.skipSpace(opening + OPEN.length) : opening;
  const head = yield* readNamed(stream, start, FUNCTION_OPEN);
  if (head === undefined) return undefined;
  const next = yield* stream.skipSpace(head.end);
  for (const tag of [PARAMETER_OPEN, FUNCTION_CLOSE, CLOSE]) if (yield* stream.startsWith(tag, next)) return head;
  return undefined;
}

/** What stands between `<function=` or `<parameter=` and the next `>`. */
function* readNamed(stream: TextStream, start: number, open: string): Parsing<Named | undefined> {
  if (!(yield* stream.startsWith(open, start))) return undefined;
  let name = '';
  for (let offset = start + open.length; name.length <= MAX_NAME_CHARS; offset++) {
    const char = yield* stream.at(offset);
    if (char === '>') return name.trim() === '' ? undefined : { name: name.trim(), end: offset + 1 };
    if (char === '' || char === '\n' || char === '<') return undefined;
    name += char;
  }
  return undefined;
}

function* takeKey(stream: TextStream): Parsing<string | undefined> {
  const parameter = yield* readNamed(stream, yield* stream.skipSpace(0), PARAMETER_OPEN);
  if (parameter === undefined) return undefined;
  stream.take(parameter.end);
  if ((yield* stream.at(0)) === '\n') stream.take(1);
  return parameter.name;
}

/** Passes on a string as it is written; false where the text ends inside. */
function* passString(stream: TextStream, parts: PartList): Parsing<boolean> {
  parts.addArguments('"');
  for (;;) {
    const length = yield* endOfValue(stream);
    if (length !== undefined) {
      stream.take(length);
      parts.addArguments('"');
      return true;
    }
    const char = stream.take(1);
    if (char === '') return false;
    parts.addArguments(escapeJson(char));
  }
}

function* passTyped(stream: TextStream, parts: PartList, toJson: (text: string) => string): Parsing<boolean> {
  let text = '';
  for (;;) {
    const length = yield* endOfValue(stream);
    if (length !== undefined) {
      stream.take(length);
      parts.addArguments(toJson(text));
      return true;
    }
    const char = stream.take(1);
    if (char === '') return false;
    text += char;
  }
}

/**
 * The length of what ends a value here; undefined where the value goes on. A tag ends it only where what follows the
 * tag is what may follow it: in code that is written about such tags they are text.
 */
function* endOfValue(stream: TextStream): Parsing<number | undefined> {
  const first = yield* stream.at(0);
  if (first !== '\n' && first !== '<') return undefined;
  const tag = first === '\n' ? 1 : 0;
  if (yield* stream.startsWith(PARAMETER_CLOSE, tag)) {
    const end = tag + PARAMETER_CLOSE.length;
    const isEnd = yield* isBefore(stream, end, [PARAMETER_OPEN, FUNCTION_CLOSE, CLOSE]);
    return isEnd ? end : undefined;
  }
  if (yield* stream.startsWith(FUNCTION_CLOSE, tag)) {
    const isEnd = yield* isBefore(stream, tag + FUNCTION_CLOSE.length, [CLOSE]);
    return isEnd ? tag : undefined;
  }
  const isNext = tag === 1 && (yield* readNamed(stream, tag, PARAMETER_OPEN)) !== undefined;
  return isNext ? tag : undefined;
}

/** Whether one of these tags follows, or the end. */
function* isBefore(stream: TextStream, offset: number, tags: readonly string[]): Parsing<boolean> {
  const next = yield* stream.skipSpace(offset);
  if ((yield* stream.at(next)) === '') return true;
  for (const tag of tags) if (yield* stream.startsWith(tag, next)) return true;
  return false;
}

/** Whether the function's own end was there. */
function* takeClosing(stream: TextStream): Parsing<boolean> {
  let hasEnded = false;
  for (const tag of [FUNCTION_CLOSE, CLOSE]) {
    const start = yield* stream.skipSpace(0);
    if (!(yield* stream.startsWith(tag, start))) continue;
    stream.take(start + tag.length);
    hasEnded = true;
  }
  return hasEnded;
}

const escapeJson = (char: string): string =>
  char < ' ' || char === '"' || char === '\\' ? JSON.stringify(char).slice(1, -1) : char;
