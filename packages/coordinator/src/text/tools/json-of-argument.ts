import { type ArgumentType } from './argument-types.js';

const INTEGER = /^-?(?:0|[1-9]\d*)$/u;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/u;

/** How text becomes JSON of a type, or undefined where it is none of it. Numbers stay as they are written. */
const CONVERSIONS: readonly (readonly [ArgumentType, (text: string) => string | undefined])[] = [
  ['null', (text) => (/^(?:null|none)$/iu.test(text) ? 'null' : undefined)],
  ['boolean', (text) => (/^(?:true|false)$/iu.test(text) ? text.toLowerCase() : undefined)],
  ['integer', (text) => integerOf(text)],
  ['number', (text) => (NUMBER.test(text) ? text : undefined)],
  ['object', (text) => (text.startsWith('{') ? validJson(text) : undefined)],
  ['array', (text) => (text.startsWith('[') ? validJson(text) : undefined)],
];

/** Text that is of none of the types stays a string, for the client to judge. */
export function jsonOfArgument(text: string, types: ReadonlySet<ArgumentType>): string {
  const trimmed = text.trim();
  for (const [type, convert] of CONVERSIONS) {
    // A value that is not there is written as null whatever the type, as vLLM reads it.
    const json = type === 'null' || types.has(type) ? convert(trimmed) : undefined;
    if (json !== undefined && !(type === 'null' && types.has('string') && !types.has('null'))) return json;
  }
  return JSON.stringify(text);
}

/** 3.0 is an integer to JSON Schema. */
function integerOf(text: string): string | undefined {
  const whole = text.replace(/\.0+$/u, '');
  return INTEGER.test(whole) ? whole : undefined;
}

function validJson(text: string): string | undefined {
  try {
    JSON.parse(text);
    return text;
  } catch {
    // The model wrote something else, which stays text.
    return undefined;
  }
}
