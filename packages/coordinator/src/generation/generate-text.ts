import { type FinishReason, type SequenceOutput } from '../engine/engine-client.js';
import { IncrementalDetokenizer } from '../text/incremental-detokenizer.js';
import { StopStrings } from '../text/stop-strings.js';
import { type GenerationRequest, toSequenceRequest } from './generation-request.js';
import { type ServedModel } from './served-model.js';

export interface TextDelta {
  /** New tokens; they may have completed no text yet. */
  readonly tokenIds: readonly number[];
  readonly text: string;
  /** Set on the last delta only. */
  readonly finishReason?: FinishReason;
}

/**
 * Runs one request: tokens from the engine become text, which ends before a stop string. Leaving the loop or aborting
 * `signal` ends the sequence.
 *
 * @throws RequestError when the request can never succeed, after an abort the signal's reason, and otherwise what the
 * engine throws.
 */
export async function* generateText(
  model: ServedModel,
  request: GenerationRequest,
  signal: AbortSignal,
): AsyncGenerator<TextDelta, void, void> {
  try {
    yield* textOf(model.engine.generate(toSequenceRequest(model, request), signal), model, request);
  } catch (thrown) {
    throw signal.aborted ? signal.reason : thrown;
  }
}

async function* textOf(
  outputs: AsyncIterable<SequenceOutput>,
  { tokenizer }: ServedModel,
  request: GenerationRequest,
): AsyncGenerator<TextDelta, void, void> {
  const detokenizer = new IncrementalDetokenizer(tokenizer, request);
  const stopStrings = new StopStrings(request.stopStrings, request);
  for await (const output of outputs) {
    const { tokenIds, finishReason } = output;
    const decoded = detokenizer.push(visibleTokenIds(output, request));
    const { text, stopped } = stopStrings.push(finishReason === undefined ? decoded : decoded + detokenizer.flush());
    if (stopped) {
      yield { tokenIds, text, finishReason: 'stop' };
      return;
    }
    if (finishReason === undefined) yield { tokenIds, text };
    else yield { tokenIds, text: text + stopStrings.flush(), finishReason };
  }
}

/** The token at which a sequence stops is no part of its text, like a stop string. */
const visibleTokenIds = (output: SequenceOutput, { includeStop }: GenerationRequest): readonly number[] =>
  output.finishReason === 'stop' && !includeStop ? output.tokenIds.slice(0, -1) : output.tokenIds;
