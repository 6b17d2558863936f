import { z } from 'zod';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { type Quantisation } from './quantisation.js';

/** A store of another version is refused: it is packed anew, never converted. */
export const STORE_FORMAT_VERSION = 1;

export const MANIFEST_FILE_NAME = 'manifest.json';

/** A file of the store as it was when written. */
export interface StoreFile {
  /** Relative to the store, with forward slashes. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/**
 * What `manifest.json` says. It holds no date and no path of a machine, so the same checkpoint packed with the same
 * options has the same manifest everywhere, and the manifest's own sha256 names the store.
 */
export interface Manifest {
  readonly formatVersion: typeof STORE_FORMAT_VERSION;
  /** The checkpoint's config.json as it was. */
  readonly modelConfig: Readonly<Record<string, unknown>>;
  readonly quantisation: Quantisation;
  /** Every file under dense/ and experts/, in the order of storeBlobs(). */
  readonly blobs: readonly StoreFile[];
  /** The files beside them: config.json, tokenizer.json and what else came with the checkpoint. */
  readonly files: readonly StoreFile[];
}

const storeFile = z.strictObject({
  path: z.string().min(1),
  sizeBytes: z.number().int().nonnegative(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

const quantisation = z.union([
  z.strictObject({
    bits: z.union([z.literal(4), z.literal(8)]),
    blockSize: z.union([z.literal(32), z.literal(64), z.literal(128)]),
  }),
  z.strictObject({ bits: z.literal(16), dtype: z.union([z.literal('BF16'), z.literal('F16')]) }),
  z.strictObject({ bits: z.literal(32) }),
]);

const manifestSchema = z.strictObject({
  formatVersion: z.literal(STORE_FORMAT_VERSION),
  modelConfig: z.record(z.string(), z.unknown()),
  quantisation,
  blobs: z.array(storeFile),
  // They lie beside the manifest, so a name with a folder in it can only be wrong.
  files: z.array(storeFile.extend({ path: z.string().regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/) })),
});

export function serialiseManifest(manifest: Manifest): string {
  return `${JSON.stringify(manifest, undefined, 1)}\n`;
}

/**
 * @param where the manifest's path, for the message
 * @throws ExpertmeshError `failed_precondition` for another format version, `data_loss` for anything that is no
 * manifest.
 */
export function parseManifest(json: string, where: string): Manifest {
  const value = parseJson(json, where);
  refuseOtherVersion(value, where);
  const parsed = manifestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.slice(0, 5).map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw damaged(where, issues.join('; '));
}

function parseJson(json: string, where: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch (error) {
    throw damaged(where, ExpertmeshError.from(error).message);
  }
}

function refuseOtherVersion(value: unknown, where: string): void {
  const versioned = z.looseObject({ formatVersion: z.number() }).safeParse(value);
  if (!versioned.success || versioned.data.formatVersion === STORE_FORMAT_VERSION) return;
  throw new ExpertmeshError(
    'failed_precondition',
    `${where} has format version ${String(versioned.data.formatVersion)}, this release reads version ` +
      `${String(STORE_FORMAT_VERSION)}: pack the checkpoint again with this release`,
  );
}

const damaged = (where: string, reason: string): ExpertmeshError =>
  new ExpertmeshError(
    'data_loss',
    `${where} is damaged (${reason}): copy the store again or pack the checkpoint again`,
  );
