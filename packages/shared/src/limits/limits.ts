/** Bounds that several parts rely on. Each says what happens when it is reached. */

/** Largest gRPC message, both ways. A dispatch call is split before it reaches this. */
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

/** Calls that may wait on one worker; the next is refused with `resource_exhausted`. */
export const MAX_QUEUED_CALLS = 1024;

/** Bytes of calls that may wait on one worker; the call after that is refused likewise. */
export const MAX_QUEUED_BYTES = 1024 * 1024 * 1024;

/**
 * Bytes of messages that a worker has received in part, of all its streams together; a stream that begins another is
 * ended with `resource_exhausted`.
 */
export const MAX_PARTIAL_BYTES = 8 * MAX_MESSAGE_BYTES;

/**
 * Tokens of the prompts of sequences that wait; the next is refused with `resource_exhausted` (HTTP 503, Retry-After).
 * One prompt alone may be longer.
 */
export const MAX_WAITING_TOKENS = 2 ** 21;

/**
 * How many times the packed bytes of a quantised tensor its session needs in memory: ONNX Runtime repacks the weights.
 * Measured: 1.17 with blocks of 128, 1.26 with blocks of 32.
 */
export const QUANTISED_MEMORY_FACTOR = 1.3;

/** Files of the store that a process gives to others at a time; the next is refused with `resource_exhausted`. */
export const MAX_FILE_READS = 32;

/** Most answers to one prompt. */
export const MAX_ANSWERS = 128;

/**
 * Attention scores (heads x rows x context) that are in memory at a time, 4 bytes each; longer prompts are computed in
 * slices.
 */
export const MAX_ATTENTION_SCORES = 2 ** 25;
