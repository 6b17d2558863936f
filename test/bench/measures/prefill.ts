import { type BenchContext, type PromptMaker } from '../harness/bench-context.js';
import { type Subject } from '../harness/subject.js';

/** Prompt tokens a second, and a second of processor time, until the first token of the answer. */
export async function measurePrefill(
  { samples }: BenchContext,
  subject: Subject,
  prompts: PromptMaker,
  numPromptTokens: number,
  round: number,
): Promise<void> {
  const processorSecondsBefore = subject.processorSeconds();
  const seconds = (await firstTokenMs(subject, prompts, numPromptTokens)) / 1000;
  const processorSeconds = subject.processorSeconds() - processorSecondsBefore;
  samples.add(`${subject.name}.prefill.${String(numPromptTokens)}`, round, numPromptTokens / seconds);
  samples.add(
    `${subject.name}.processor.prefill.${String(numPromptTokens)}`,
    round,
    numPromptTokens / processorSeconds,
  );
}

/** Milliseconds until the first token of the answer to a short prompt. */
export async function measureFirstToken(
  { samples }: BenchContext,
  subject: Subject,
  prompts: PromptMaker,
  numPromptTokens: number,
  round: number,
): Promise<void> {
  const timeMs = await firstTokenMs(subject, prompts, numPromptTokens);
  samples.add(`${subject.name}.firstToken.${String(numPromptTokens)}`, round, timeMs);
}

async function firstTokenMs(subject: Subject, prompts: PromptMaker, numPromptTokens: number): Promise<number> {
  const [arrivals] = await subject.generate(prompts.prompts(1, numPromptTokens), 1);
  return arrivals?.[0] ?? NaN;
}
