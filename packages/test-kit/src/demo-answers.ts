import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the demo model answers to one question: transformers, fp32, greedy, at most 160 tokens. */
export interface DemoAnswer {
  readonly question: string;
  readonly enableThinking: boolean;
  /** The question as the only message, with the generation prompt. */
  readonly promptTokenIds: readonly number[];
  /** Without the end token. */
  readonly answerTokenIds: readonly number[];
  /** Thinking and answer as one text. */
  readonly answerText: string;
  readonly finishReason: 'stop' | 'length';
  /** The true answer, without thinking; the model is not always right. */
  readonly expected: string;
  /** Smallest distance between the two largest logits in the answer: a small one may turn with rounding. */
  readonly smallestGap: number;
}

export function loadDemoAnswers(): DemoAnswer[] {
  return JSON.parse(
    readFileSync(join(import.meta.dirname, '../../../test/golden/data/demo-answers.json'), 'utf8'),
  ) as DemoAnswer[];
}
