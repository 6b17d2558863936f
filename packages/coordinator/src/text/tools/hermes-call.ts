import { type PartList } from '../part-list.js';
import { JsonScanner } from './json-scanner.js';
import { type Parsing, type TextStream } from './text-stream.js';
import { type CallContext } from './call-syntax.js';

const OPEN = '<tool_call>';
const CLOSE = '</tool_call>';

/** Some models write the name that JSON Schema suggests. */
const ARGUMENT_KEYS: readonly string[] = ['arguments', 'parameters'];

/**
 * `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`, the format of NousResearch/Hermes-Function-Calling and of
 * Qwen3. Arguments stay as the model writes them, but for control characters in strings, which are escaped. Missing
 * arguments are `{}`, brackets that are missing before the closing tag are added, and the tag may be missing.
 */
export function* parseHermesCall(stream: TextStream, opening: number, { parts }: CallContext): Parsing<boolean> {
  let start = opening + OPEN.length;
  let hasCalled = false;
  // A block has one call, but models put several in it at times.
  for (;;) {
    const head = yield* readHead(stream, yield* stream.skipSpace(start));
    if (head === undefined) return hasCalled;
    hasCalled = true;
    stream.take(head.end);
    parts.startCall(head.name);
    if (head.arguments === undefined) yield* passArguments(stream, parts);
    else parts.addArguments(head.arguments);
    yield* takeRest(stream);
    if (yield* takeClose(stream)) return true;
    start = 0;
  }
}

interface CallHead {
  readonly name: string;
  /** Absent where they follow, and can be passed on as they come. */
  readonly arguments: string | undefined;
  readonly end: number;
}

/** Reads as far as it takes to know that this is a call. */
function* readHead(stream: TextStream, start: number): Parsing<CallHead | undefined> {
  let name: string | undefined;
  let args: string | undefined;
  if ((yield* stream.at(start)) !== '{') return undefined;
  let offset = start + 1;
  for (;;) {
    const member = yield* readKey(stream, offset);
    if (member === undefined) return undefined;
    const { key, end } = member;
    const isArguments = ARGUMENT_KEYS.includes(key);
    if (isArguments && name !== undefined && (yield* stream.at(end)) === '{')
      return { name, arguments: undefined, end };
    const value = yield* readValue(stream, end);
    if (value === undefined) return undefined;
    if (key === 'name') name = stringOf(value);
    if (isArguments) args = argumentsOf(value);
    if ((key === 'name' && !name) || (isArguments && args === undefined)) return undefined;
    offset = yield* stream.skipSpace(end + value.length);
    const separator = yield* stream.at(offset);
    offset++;
    if (separator === '}') return name === undefined ? undefined : { name, arguments: args ?? '{}', end: offset };
    if (separator !== ',') return undefined;
  }
}

interface Key {
  readonly key: string;
  /** Where the value begins. */
  readonly end: number;
}

function* readKey(stream: TextStream, start: number): Parsing<Key | undefined> {
  const keyStart = yield* stream.skipSpace(start);
  if ((yield* stream.at(keyStart)) !== '"') return undefined;
  const source = yield* readValue(stream, keyStart);
  if (source === undefined) return undefined;
  const colon = yield* stream.skipSpace(keyStart + source.length);
  if ((yield* stream.at(colon)) !== ':') return undefined;
  return { key: stringOf(source) ?? '', end: yield* stream.skipSpace(colon + 1) };
}

/** The source of a JSON value. */
function* readValue(stream: TextStream, start: number): Parsing<string | undefined> {
  let source = '';
  const first = yield* stream.at(start);
  if (!'{["'.includes(first)) return yield* readLiteral(stream, start);
  const scanner = new JsonScanner();
  for (;;) {
    const char = yield* stream.at(start + source.length);
    if (char === '') return undefined;
    source += char;
    const result = scanner.push(char);
    if (result === 'complete') return source;
    if (result === 'invalid') return undefined;
  }
}

function* readLiteral(stream: TextStream, start: number): Parsing<string | undefined> {
  let source = '';
  for (;;) {
    const char = yield* stream.at(start + source.length);
    if (!/[-+.\w]/u.test(char)) break;
    source += char;
  }
  return parseJson(source) === undefined ? undefined : source;
}

function stringOf(source: string): string | undefined {
  const value = parseJson(escapeControls(source));
  return typeof value === 'string' ? value : undefined;
}

/** Arguments that were written before the name, or in a string of their own. */
function argumentsOf(source: string): string | undefined {
  if (source === 'null') return '{}';
  const text = source.startsWith('"') ? stringOf(source)?.trim() : source.replace(JSON_STRING, escapeControls);
  return text?.startsWith('{') && parseJson(text) !== undefined ? text : undefined;
}

const JSON_STRING = /"(?:[^"\\]|\\.)*"/gsu;

function parseJson(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch {
    // The model wrote something else: this is no call.
    return undefined;
  }
}

/** Passes on the arguments of a call, up to the end of their object. */
function* passArguments(stream: TextStream, parts: PartList): Parsing<void> {
  const scanner = new JsonScanner();
  for (;;) {
    const char = yield* stream.at(0);
    if (char === '') return;
    if (!scanner.isInString && (yield* stream.startsWith(CLOSE, 0))) {
      parts.addArguments(scanner.closing() ?? '');
      return;
    }
    const { isInString } = scanner;
    const result = scanner.push(char);
    if (result === 'invalid') {
      yield* passMalformed(stream, parts);
      return;
    }
    parts.addArguments(isInString ? escapeControls(stream.take(1)) : stream.take(1));
    if (result === 'complete') return;
  }
}

/** What is no JSON any more is the client's to judge: it comes as it is, up to the bracket that ends the call. */
function* passMalformed(stream: TextStream, parts: PartList): Parsing<void> {
  for (;;) {
    const end = yield* skipBrackets(stream);
    const isEnd = (yield* stream.at(end)) === '' || (yield* stream.startsWith(CLOSE, end));
    const text = stream.take(isEnd ? end : end + 1);
    parts.addArguments(isEnd ? text.trimEnd().replace(/\}$/u, '').trimEnd() : text);
    if (isEnd) return;
  }
}

function* skipBrackets(stream: TextStream): Parsing<number> {
  let end = yield* stream.skipSpace(0);
  while ((yield* stream.at(end)) === '}') end = yield* stream.skipSpace(end + 1);
  return end;
}

/** Takes what stands between the arguments and the end of the object: other members, and brackets that are too many. */
function* takeRest(stream: TextStream): Parsing<void> {
  let offset = yield* stream.skipSpace(0);
  while ((yield* stream.at(offset)) === ',') {
    const member = yield* readKey(stream, offset + 1);
    const value = member && (yield* readValue(stream, member.end));
    if (member === undefined || value === undefined) return;
    offset = yield* stream.skipSpace(member.end + value.length);
  }
  while ((yield* stream.at(offset)) === '}') {
    stream.take(offset + 1);
    offset = yield* stream.skipSpace(0);
  }
}

function* takeClose(stream: TextStream): Parsing<boolean> {
  const end = yield* stream.skipSpace(0);
  if (!(yield* stream.startsWith(CLOSE, end))) return false;
  stream.take(end + CLOSE.length);
  return true;
}

const escapeControls = (json: string): string =>
  json.replace(/[\u0000-\u001f]/gu, (char) => JSON.stringify(char).slice(1, -1));
