import { MAX_MESSAGE_BYTES } from '../../limits/limits.js';

const KIB = 1024;
const MIB = 1024 * KIB;

/** What is not in the table has a few numbers and names. */
const SMALL_BYTES = 64 * KIB;

/**
 * Most bytes of a message, for the methods that need more than a few numbers and names. Everything that comes
 * is held before it can be checked, so none is larger than what the largest model or cluster asks for.
 */
export const METHOD_BYTES: Readonly<Record<string, number>> = {
  // Rows of tokens.
  '/expertmesh.v1.ExpertService/Dispatch': MAX_MESSAGE_BYTES,
  // The experts of a worker: 94 layers of 512 have 0.1 MiB.
  '/expertmesh.v1.WorkerService/Assign': MIB,
  // A placement, the workers' experts and what it was planned by: 94 layers of 512 have 0.5 MiB.
  '/expertmesh.v1.AdminService/ApplyPlacement': 4 * MIB,
  // A prompt, as text or tokens: 1,048,576 tokens have 5 MiB of ids, and 4 MiB of English text.
  '/expertmesh.v1.InferenceService/Generate': 16 * MIB,
  '/expertmesh.v1.InferenceService/Tokenize': 16 * MIB,
  '/expertmesh.v1.InferenceService/Detokenize': 16 * MIB,
};

/** Of `/package.Service/Method`. */
export function maxRequestBytes(path: string): number {
  return (Object.hasOwn(METHOD_BYTES, path) ? METHOD_BYTES[path] : undefined) ?? SMALL_BYTES;
}

/** Of all methods: no port takes a larger message. */
export const MAX_REQUEST_BYTES = Math.max(...Object.values(METHOD_BYTES));
