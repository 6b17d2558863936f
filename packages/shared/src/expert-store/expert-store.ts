import { createHash } from 'node:crypto';
import { readFile, realpath, stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { parseModelSpec, type ModelSpec } from '../model/model-spec.js';
import { MANIFEST_FILE_NAME, parseManifest, type Manifest, type StoreFile } from './manifest.js';
import { type Quantisation } from './quantisation.js';
import { storeBlobs } from './store-blobs.js';

/**
 * A store that was opened: its manifest is sound and lists exactly the blobs of its model, each with the size of its
 * layout. Which of the files are there is not known yet: a worker may hold only the files of its own experts.
 */
export interface ExpertStore {
  /** Absolute. */
  readonly dir: string;
  /** sha256 of manifest.json in lower-case hex: processes with the same store id read the same weights. */
  readonly storeId: string;
  readonly spec: ModelSpec;
  readonly quantisation: Quantisation;
  readonly manifest: Manifest;
  /**
   * A blob, or one of the files beside them.
   *
   * @throws ExpertmeshError `not_found` for a path that the manifest does not list.
   */
  blob(path: string): StoreFile;
  /**
   * The absolute path of such a file, after a look that it is there with the right size. Its hash is verifyBlob's
   * business.
   *
   * @throws ExpertmeshError `not_found` for a missing file, `data_loss` for one of another size, `failed_precondition`
   * for one that lies outside of the store, behind a link.
   */
  requireBlobFile(path: string): Promise<string>;
}

/**
 * Reads and checks the manifest of the store in `dir`.
 *
 * @throws ExpertmeshError `not_found` where there is no store, `failed_precondition` for another format version,
 * `data_loss` for a manifest that is damaged or contradicts its model.
 */
export async function openExpertStore(dir: string): Promise<ExpertStore> {
  const absoluteDir = resolve(dir);
  const where = join(absoluteDir, MANIFEST_FILE_NAME);
  const bytes = await readManifest(where, absoluteDir);
  const manifest = parseManifest(bytes.toString('utf8'), where);
  const spec = parseModelSpec(manifest.modelConfig);
  requireExpectedBlobs(where, spec, manifest);
  const files = new Map([...manifest.blobs, ...manifest.files].map((file) => [file.path, file]));

  const blob = (path: string): StoreFile => {
    const entry = files.get(path);
    if (entry === undefined) throw new ExpertmeshError('not_found', `the store ${absoluteDir} has no file ${path}`);
    return entry;
  };
  return {
    dir: absoluteDir,
    storeId: createHash('sha256').update(bytes).digest('hex'),
    spec,
    quantisation: manifest.quantisation,
    manifest,
    blob,
    requireBlobFile: (path) => requireFile(absoluteDir, blob(path)),
  };
}

async function readManifest(where: string, dir: string): Promise<Buffer> {
  try {
    return await readFile(where);
  } catch (cause) {
    throw new ExpertmeshError(
      'not_found',
      `${dir} is not an expert store (no readable ${MANIFEST_FILE_NAME}): ` +
        `make one with "expertmesh pack HF_DIR ${dir}"`,
      { cause },
    );
  }
}

// Readers compute offsets from the layouts, so a manifest that lists other blobs or sizes must not get past here.
function requireExpectedBlobs(where: string, spec: ModelSpec, manifest: Manifest): void {
  const blobs = new Map(manifest.blobs.map((blob) => [blob.path, blob]));
  const refuse = (reason: string): never => {
    throw new ExpertmeshError('data_loss', `${where} contradicts itself: ${reason}; pack the checkpoint again`);
  };
  const expected = storeBlobs(spec, manifest.quantisation);
  for (const { path, layout } of expected) {
    const sizeBytes = blobs.get(path)?.sizeBytes ?? refuse(`blob ${path} is not listed`);
    if (sizeBytes !== layout.sizeBytes)
      refuse(`blob ${path} is listed with ${String(sizeBytes)} bytes, its layout has ${String(layout.sizeBytes)}`);
  }
  if (manifest.blobs.length !== expected.length)
    refuse(`it lists ${String(manifest.blobs.length)} blobs, the model has ${String(expected.length)}`);
}

async function requireFile(dir: string, blob: StoreFile): Promise<string> {
  const path = join(dir, blob.path);
  const sizeBytes = await fileSizeBytes(path);
  if (sizeBytes === blob.sizeBytes) {
    await requireWithin(dir, path);
    return path;
  }
  throw new ExpertmeshError(
    'data_loss',
    `${path} has ${String(sizeBytes)} bytes, the manifest says ${String(blob.sizeBytes)}: ` +
      'copy this file from the store again',
  );
}

// ONNX Runtime reads weights only from below the store's directory, wherever links lead.
async function requireWithin(dir: string, path: string): Promise<void> {
  const [realDir, realFile] = await Promise.all([realpath(dir), realpath(path)]);
  if (realFile.startsWith(realDir + sep)) return;
  throw new ExpertmeshError(
    'failed_precondition',
    `${path} is a link to ${realFile}, outside of the store: ` +
      'copy the file, or mount its folder there, in place of the link',
  );
}

async function fileSizeBytes(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (cause) {
    throw new ExpertmeshError('not_found', `${path} is missing: copy this file from the store to this machine`, {
      cause,
    });
  }
}
