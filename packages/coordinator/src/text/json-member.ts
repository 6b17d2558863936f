/**
 * The source text of one member of a JSON object, as it stands there: parsing and writing it again would round large
 * integers and turn `1.0` into `1`. `json` must be a valid JSON object; of repeated keys the last counts, as in
 * JSON.parse.
 */
export function jsonMember(json: string, key: string): string | undefined {
  let found: string | undefined;
  for (const [name, value] of membersOf(json)) if (name === key) found = value;
  return found;
}

/** A string, a bracket, a separator; everything else is inside some value. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]/gsu;

function* membersOf(json: string): Generator<[name: string, value: string]> {
  let depth = 0;
  let lastString = '';
  let name: string | undefined;
  let valueStart = 0;
  for (const { 0: token, index } of json.matchAll(TOKEN)) {
    const endsMember = depth === 1 && (token === ',' || token === '}');
    if (endsMember && name !== undefined) {
      yield [name, json.slice(valueStart, index).trim()];
      name = undefined;
    } else if (depth === 1 && token === ':') {
      name = JSON.parse(lastString) as string;
      valueStart = index + 1;
    } else if (token.startsWith('"')) {
      lastString = token;
    }
    if (token === '{' || token === '[') depth++;
    if (token === '}' || token === ']') depth--;
  }
}
