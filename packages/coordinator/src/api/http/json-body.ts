import { type FastifyInstance, type FastifyRequest } from 'fastify';
import { HttpRefusal } from '../http-error.js';
import { jsonShape, MAX_DEPTH } from './json-shape.js';

/** Of a body as long as it may be: fewer than one in three characters, which lists of nothing would have. */
const BYTES_PER_ELEMENT = 16;

/**
 * Bodies are JSON in UTF-8 and of bounded depth and parts, which is looked at before they are parsed; everything else
 * is refused with what to send instead.
 */
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

function refusalOf({ headers, routeOptions }: FastifyRequest, text: string): HttpRefusal | undefined {
  const charset = /;\s*charset="?([^";\s]+)/i.exec(headers['content-type'] ?? '')?.[1];
  if (charset !== undefined && !/^(utf-?8|us-ascii)$/i.test(charset)) return unknownCharset(charset);
  if (text.trim() === '') return new HttpRefusal(400, 'invalid_json', 'The request body is empty: send a JSON object');
  return shapeRefusal(text, Math.floor(routeOptions.bodyLimit / BYTES_PER_ELEMENT));
}

function shapeRefusal(text: string, maxElements: number): HttpRefusal | undefined {
  const { depth, numElements } = jsonShape(text, maxElements);
  if (depth > MAX_DEPTH)
    return refusalOfShape(`The request body is nested deeper than ${String(MAX_DEPTH)} levels; flatten it`);
  if (numElements > maxElements)
    return refusalOfShape(`The request body has more than ${String(maxElements)} values; send fewer`);
  return undefined;
}

const refusalOfShape = (message: string): HttpRefusal => new HttpRefusal(400, 'invalid_value', message);

const unknownCharset = (charset: string): HttpRefusal =>
  new HttpRefusal(415, 'unsupported_media_type', `The charset ${charset.slice(0, 40)} is not read: send JSON in UTF-8`);
