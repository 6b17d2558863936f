import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { type StoreFile } from '../manifest.js';
import { writeError } from './blob-writer.js';

/** What a store is being made of; work may only go on with the same. */
export interface JournalHeader {
  /** Fingerprint of where the weights come from. */
  readonly source: string;
  /** The options that shape the store, as a person would type them. */
  readonly options: string;
}

/** Which blobs of a store are finished: what is needed to take up a run that was killed. */
export interface JournalContent {
  readonly header: JournalHeader;
  readonly finished: readonly StoreFile[];
}

const headerSchema = z.object({ source: z.string(), options: z.string() });
const blobSchema = z.object({ path: z.string(), sizeBytes: z.number(), sha256: z.string() });

/**
 * Reads a journal: one JSON line for the header, then one for each finished blob. A line that a kill cut short is
 * dropped.
 *
 * @returns undefined where there is no journal to go on from
 */
export function readJournal(file: string): JournalContent | undefined {
  if (!existsSync(file)) return undefined;
  const [first, ...rest] = readFileSync(file, 'utf8').split('\n');
  const header = parseLine(headerSchema, first);
  return header && { header, finished: rest.flatMap((line) => parseLine(blobSchema, line) ?? []) };
}

/**
 * Writes a journal anew, in one step.
 *
 * @throws ExpertmeshError `resource_exhausted` when the disk is full.
 */
export function writeJournal(file: string, { header, finished }: JournalContent): void {
  translate(file, () => {
    writeFileSync(`${file}.new`, [header, ...finished].map(toLine).join(''));
    renameSync(`${file}.new`, file);
  });
}

/** @throws ExpertmeshError `resource_exhausted` when the disk is full. */
export function appendToJournal(file: string, blob: StoreFile): void {
  translate(file, () => {
    appendFileSync(file, toLine(blob));
  });
}

function translate(file: string, write: () => void): void {
  try {
    write();
  } catch (cause) {
    throw writeError(file, cause);
  }
}

const toLine = (value: JournalHeader | StoreFile): string => `${JSON.stringify(value)}\n`;

function parseLine<T>(schema: z.ZodType<T>, line = ''): T | undefined {
  try {
    return schema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
