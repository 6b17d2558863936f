import { parseByteSize } from './byte-size.js';

/** A directory, and how much may lie in it. */
export interface DirectoryBudget {
  readonly dir: string;
  readonly maxBytes: number;
}

/** Reads "/var/cache/kv:20GB"; undefined when it is none. */
export function parseDirectoryBudget(text: string): DirectoryBudget | undefined {
  const colon = text.lastIndexOf(':');
  const maxBytes = parseByteSize(text.slice(colon + 1));
  return colon < 1 || maxBytes === undefined ? undefined : { dir: text.slice(0, colon), maxBytes };
}

export function formatDirectoryBudget({ dir, maxBytes }: DirectoryBudget): string {
  return `${dir}:${String(maxBytes)}`;
}
