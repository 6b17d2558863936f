import { type z } from 'zod';
import { ExpertmeshError } from '../errors/expertmesh-error.js';

/** A kind of document in the control plane: JSON with a formatVersion. */
export interface DocumentKind<T> {
  /** As errors name it: "worker record". */
  readonly name: string;
  readonly formatVersion: number;
  readonly schema: z.ZodType<T>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

export function encodeDocument(document: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(document));
}

/**
 * @throws ExpertmeshError `failed_precondition` for another format version, `data_loss` for anything else that is no
 * such document.
 */
export function parseDocument<T>(kind: DocumentKind<T>, value: Uint8Array): T {
  const json = parseJson(kind, value);
  const formatVersion = formatVersionOf(json);
  if (formatVersion !== undefined && formatVersion !== kind.formatVersion)
    throw new ExpertmeshError(
      'failed_precondition',
      `a ${kind.name} has format version ${String(formatVersion)}, this program reads ` +
        `${String(kind.formatVersion)}: run the same release everywhere`,
    );
  const parsed = kind.schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw broken(kind, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'unknown'}`, parsed.error);
}

function parseJson(kind: DocumentKind<unknown>, value: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(value));
  } catch (error) {
    throw broken(kind, ExpertmeshError.from(error).message, error);
  }
}

function formatVersionOf(json: unknown): number | undefined {
  if (typeof json !== 'object' || json === null || !('formatVersion' in json)) return undefined;
  return typeof json.formatVersion === 'number' ? json.formatVersion : undefined;
}

const broken = ({ name }: DocumentKind<unknown>, reason: string, cause: unknown): ExpertmeshError =>
  new ExpertmeshError('data_loss', `a ${name} is broken (${reason}): it is ignored until it is written anew`, {
    cause,
  });
