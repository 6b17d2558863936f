/**
 * What constrained decoding costs at Qwen3's vocabulary of 151,936: compiling, and the mask of every token of typical
 * answers, first-time states included, in milliseconds of CPU. `npx tsx test/bench/grammar-mask.ts` after a build.
 */
import { compileConstraint } from '@expertmesh/coordinator/sampling/grammar/compile-constraint';
import type { Constraint } from '@expertmesh/coordinator/sampling/grammar/constraint';
import { loadTokenizer, type Tokenizer } from '@expertmesh/coordinator/text/tokenizer';
import { QWEN3_TOKENIZER_DIR, qwen3Vocabulary } from '@expertmesh/test-kit/qwen3-vocabulary';
import { GRAMMAR_WORKLOADS, type GrammarWorkload } from './measures/grammar-workloads.js';

const MAX_P50_MS = 0.1;
const MAX_P99_MS = 1;

const tokenizer = await loadTokenizer(QWEN3_TOKENIZER_DIR);
const vocabulary = qwen3Vocabulary();
const warmUp: Constraint = { kind: 'json_object' };
console.log(`first constraint of a vocabulary: ${timed(() => compileConstraint(warmUp, vocabulary)).toFixed(0)} ms`);

const all: number[] = [];
for (const workload of GRAMMAR_WORKLOADS) all.push(...(await measure(workload, tokenizer)));
const [p50, p99] = [percentile(all, 0.5), percentile(all, 0.99)];
console.log(`all: ${describe(all)}`);
console.log(p50 <= MAX_P50_MS && p99 <= MAX_P99_MS ? 'within the targets' : 'MISSED: p50 0.1 ms, p99 1 ms');

async function measure({ name, constraint, answers }: GrammarWorkload, tokens: Tokenizer): Promise<number[]> {
  const compileMs = timed(() => compileConstraint(constraint, vocabulary));
  const compiled = compileConstraint(constraint, vocabulary);
  let numStates = 0;
  const warmUpMs = timed(() => {
    for (const _ of compiled.warmUp()) numStates++;
  });
  const maskMs: number[] = [];
  const acceptMs: number[] = [];
  for (const answer of answers) {
    const state = compiled.start();
    for (const token of await tokens.encode(answer)) {
      maskMs.push(timed(() => state.mask()));
      acceptMs.push(timed(() => state.accept(token)));
    }
    if (!state.isComplete) throw new Error(`${name}: the answer is not complete`);
  }
  const warmUp = `warm-up ${warmUpMs.toFixed(0)} ms of ${String(numStates)} states`;
  console.log(
    `${name}: compile ${compileMs.toFixed(1)} ms, ${warmUp}; mask ${describe(maskMs)}; accept ${describe(acceptMs)}`,
  );
  return maskMs;
}

/** Milliseconds of CPU, which other programs on the machine lengthen less than those of the clock. */
function timed(run: () => unknown): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

function describe(values: readonly number[]): string {
  const ms = [0.5, 0.99, 1].map((share) => percentile(values, share).toFixed(3));
  return `p50 ${ms[0] ?? ''}, p99 ${ms[1] ?? ''}, max ${ms[2] ?? ''} ms of ${String(values.length)}`;
}
