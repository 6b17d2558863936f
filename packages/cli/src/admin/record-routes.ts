import { open, type FileHandle } from 'node:fs/promises';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { formatBytes } from '@expertmesh/shared/expert-store/format-bytes';
import { adminService } from '@expertmesh/shared/rpc/services';
import { type AdminClient } from './admin-client.js';

export interface RecordOptions {
  /** 0 means no limit. */
  readonly maxTokens: number;
  readonly force: boolean;
}

/** Nobody may send a request for hours: a recording waits for one. */
const WAIT_FOR_TOKENS_MS = 24 * 60 * 60 * 1000;

/**
 * Writes what a coordinator routes to a file, until the coordinator has recorded enough or the client's signal aborts.
 * What was written by then is a trace.
 *
 * @throws ExpertmeshError `failed_precondition` where the file exists or cannot be written.
 */
export async function recordRoutes(
  client: AdminClient,
  path: string,
  { maxTokens, force }: RecordOptions,
): Promise<void> {
  const file = await openNew(path, force);
  let [numTokens, sizeBytes] = [0, 0];
  try {
    for await (const chunk of client.stream(adminService.recordRoutes, { maxTokens }, WAIT_FOR_TOKENS_MS)) {
      await file.write(chunk.data);
      numTokens += chunk.numTokens;
      sizeBytes += chunk.data.length;
      tell(`${String(numTokens)} tokens, ${formatBytes(sizeBytes)}`);
    }
  } catch (thrown) {
    if (!client.signal.aborted) throw thrown;
  } finally {
    await file.close();
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  }
  process.stdout.write(`Wrote ${path}: ${String(numTokens)} tokens, ${formatBytes(sizeBytes)}.\n`);
}

async function openNew(path: string, force: boolean): Promise<FileHandle> {
  try {
    return await open(path, force ? 'w' : 'wx');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason = code === 'EEXIST' ? `${path} exists: choose another file, or replace it with --force` : message;
    throw new ExpertmeshError('failed_precondition', `cannot write the trace: ${reason}`, { cause });
  }
}

function tell(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}; Ctrl-C ends the recording`);
}
