import { type FastifyInstance, type FastifyRequest } from 'fastify';
import { HttpRefusal } from '../http-error.js';

/** Deeper than any schema of a tool, and shallow enough for whatever walks it by calling itself. */
const MAX_DEPTH = 128;

/** Bodies are JSON in UTF-8 and of bounded depth; everything else is refused with what to send instead. */
export function acceptJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  const parse = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    const text = String(body);
    const refusal = refusalOf(request, text);
    if (refusal === undefined) void parse(request, text, done);
    else done(refusal);
  });
}

function refusalOf({ headers }: FastifyRequest, text: string): HttpRefusal | undefined {
  const charset = /;\s*charset="?([^";\s]+)/i.exec(headers['content-type'] ?? '')?.[1];
  if (charset !== undefined && !/^(utf-?8|us-ascii)$/i.test(charset)) return unknownCharset(charset);
  if (text.trim() === '') return new HttpRefusal(400, 'invalid_json', 'The request body is empty: send a JSON object');
  if (isDeeperThan(text, MAX_DEPTH)) {
    const message = `The request body is nested deeper than ${String(MAX_DEPTH)} levels; flatten it`;
    return new HttpRefusal(400, 'invalid_value', message);
  }
  return undefined;
}

const unknownCharset = (charset: string): HttpRefusal =>
  new HttpRefusal(415, 'unsupported_media_type', `The charset ${charset.slice(0, 40)} is not read: send JSON in UTF-8`);

/** Whether brackets outside of strings are nested deeper than that. One step a character, whatever the text is. */
function isDeeperThan(text: string, maxDepth: number): boolean {
  let depth = 0;
  let isInString = false;
  for (let index = 0; index < text.length; index++) {
    const char = text[index];
    if (char === '"') isInString = !isInString;
    else if (isInString) index += char === '\\' ? 1 : 0;
    else if (char === '[' || char === '{') depth++;
    else if (char === ']' || char === '}') depth--;
    if (depth > maxDepth) return true;
  }
  return false;
}
