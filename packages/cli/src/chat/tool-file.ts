import { readFile } from 'node:fs/promises';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { z } from 'zod';

/** A function of `--tools`. */
export interface ChatTool {
  readonly name: string;
  /** In OpenAI's form, as the model gets it. */
  readonly definition: object;
  /** A program and its arguments: it reads the call's arguments as JSON and writes the result. */
  readonly command: readonly [string, ...string[]] | undefined;
}

const tool = z.strictObject({
  type: z.literal('function').default('function'),
  function: z.looseObject({ name: z.string().min(1) }),
  command: z.tuple([z.string().min(1)], z.string()).optional(),
});

const MAX_TOOLS = 128;

/**
 * Reads a list of `{"type": "function", "function": {...}, "command": [...]}`.
 *
 * @throws ExpertmeshError `invalid_argument` naming the file and what is wrong in it.
 */
export async function readToolFile(path: string): Promise<readonly ChatTool[]> {
  const tools = z
    .array(tool)
    .min(1)
    .max(MAX_TOOLS)
    .safeParse(await readJson(path));
  if (!tools.success) throw wrongFile(path, z.prettifyError(tools.error).replaceAll('\n', ' '));
  const read = tools.data.map(({ type, function: definition, command }) => ({
    name: definition.name,
    definition: { type, function: definition },
    command,
  }));
  const names = read.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw wrongFile(path, `it has ${twice} twice`);
  return read;
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw wrongFile(path, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function wrongFile(path: string, reason: string, cause?: unknown): ExpertmeshError {
  const form = '[{"type": "function", "function": {"name": ..., "parameters": ...}, "command": [...]}]';
  const message = `${path} has no tools: ${reason}. It must be JSON like ${form}, where command may be left out`;
  return new ExpertmeshError('invalid_argument', message, { cause });
}
