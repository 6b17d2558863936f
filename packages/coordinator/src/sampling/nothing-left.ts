import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type LogitProcessor } from './processors/logit-processor.js';

/** The error for fields that together forbid every token; it names those that forbid any. */
export function nothingLeft(
  chain: readonly LogitProcessor[],
  answer: readonly number[],
  vocabSize: number,
): ExpertmeshError {
  const fields = chain.filter((processor) => forbidsAny(processor, answer, vocabSize)).map(({ field }) => field);
  if (fields.length === 0)
    return new ExpertmeshError('data_loss', 'the model computed a logit of -Infinity for every token');
  return new ExpertmeshError(
    'invalid_argument',
    `after ${String(answer.length)} tokens of the answer no token is left that is allowed by ` +
      `${fields.join(' and ')}; ` +
      `drop ${fields.length === 1 ? 'it' : 'one of them'}`,
  );
}

function forbidsAny(processor: LogitProcessor, answer: readonly number[], vocabSize: number): boolean {
  const logits = new Float32Array(vocabSize);
  processor.apply(logits, answer);
  return logits.includes(-Infinity);
}
