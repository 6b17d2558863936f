import { PassThrough, pipeline, type Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { type FastifyRequest } from 'fastify';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { HttpRefusal } from '../http-error.js';
import { zstdDecoder } from './zstd-decoder.js';

type DecodedBody = Readable & { receivedEncodedLength: number };

/** Makers of decoders by `Content-Encoding`; each stops within a few chunks of `maxBytes`, which the reader counts. */
const DECODERS: Readonly<Record<string, (maxBytes: number) => Transform>> = {
  gzip: () => createGunzip(),
  'x-gzip': () => createGunzip(),
  deflate: () => createInflate(),
  br: () => createBrotliDecompress(),
  zstd: zstdDecoder,
  identity: () => new PassThrough(),
};

/**
 * The body of a request, decoded while it is read: what reads it counts decoded bytes against the limit and stops
 * reading there, so a bomb is never unpacked.
 *
 * @param maxBytes of the decoded body
 * @throws HttpRefusal 415 for an encoding that is not known.
 */
export function decodedBody({ headers }: FastifyRequest, body: Readable, maxBytes: number): Readable {
  const encoding = headers['content-encoding']?.trim().toLowerCase();
  if (encoding === undefined || encoding === '') return body;
  const makeDecoder = Object.hasOwn(DECODERS, encoding) ? DECODERS[encoding] : undefined;
  if (makeDecoder === undefined) throw unknownEncoding(encoding);
  const decoder = makeDecoder(maxBytes);
  const decoded = Object.assign(new PassThrough(), { receivedEncodedLength: 0 }) satisfies DecodedBody;
  body.on('data', (chunk: Buffer) => {
    decoded.receivedEncodedLength += chunk.length;
  });
  pipeline(body, decoder, (cause) => {
    if (cause) decoded.destroy(undecodable(encoding, cause));
  });
  decoder.pipe(decoded);
  return decoded;
}

const unknownEncoding = (encoding: string): HttpRefusal =>
  new HttpRefusal(
    415,
    'unsupported_encoding',
    `The content-encoding ${encoding.slice(0, 40)} is not known: send gzip, deflate, br, zstd, or none`,
  );

const undecodable = (encoding: string, cause: Error): ExpertmeshError =>
  new ExpertmeshError('invalid_argument', `The body cannot be decoded as ${encoding}: ${cause.message}`, { cause });
