/** Bounds that several parts rely on. Each says what happens when it is reached. */

/** Largest gRPC message, both ways. A dispatch call is split before it reaches this. */
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

/**
 * Rows of one dispatch call; a longer one is refused with `invalid_argument`. A row has at most as many pairs as the
 * model routes it to experts.
 */
export const MAX_DISPATCH_ROWS = 65_536;

/** Calls that may wait on one worker; the next is refused with `resource_exhausted`. */
export const MAX_QUEUED_CALLS = 1024;

/** Bytes of calls that may wait on one worker; the call after that is refused likewise. */
export const MAX_QUEUED_BYTES = 1024 * 1024 * 1024;

/**
 * Bytes that a worker has of the unfinished messages of one connection; the stream that sends more is ended with
 * `resource_exhausted`. A coordinator sends one message after the other.
 */
export const MAX_PEER_PARTIAL_BYTES = 2 * MAX_MESSAGE_BYTES;

/**
 * The same of all connections together that have not shown a coordinator's certificate; the streams of the one that
 * has most are ended likewise.
 */
export const MAX_PARTIAL_BYTES = 8 * MAX_MESSAGE_BYTES;

/** Memory that unfinished requests of one gRPC connection take, beside the data plane; the next is refused likewise. */
export const MAX_PEER_UNFINISHED_BYTES = 32 * 1024 * 1024;

/** The same of all connections together that have not shown who they are; of the one that has most, one is ended. */
export const MAX_UNFINISHED_BYTES = 4 * MAX_PEER_UNFINISHED_BYTES;

/** Unfinished requests of them; of the machine that has most, the oldest is ended. */
export const MAX_UNFINISHED_CALLS = 4096;

/** From the first byte of a message or request to its last; it is ended with `deadline_exceeded`. */
export const PARTIAL_TIMEOUT_MS = 60_000;

/**
 * Tokens of the prompts of sequences that wait; the next is refused with `resource_exhausted` (HTTP 503, Retry-After).
 * One prompt alone may be longer.
 */
export const MAX_WAITING_TOKENS = 2 ** 21;

/**
 * An election's epoch is at most two million above the highest known (epoch-series.ts). A command that is so far above
 * what a worker knows that half a million elections lie between comes from none; it is refused with
 * `failed_precondition`.
 */
export const MAX_EPOCH_JUMP = 2 ** 40;

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
