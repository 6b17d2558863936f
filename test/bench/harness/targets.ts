import { type Samples } from './samples.js';

/** A number to reach: the median of a measure, or of its ratio to another one in the same round. */
interface TargetPart {
  readonly title: string;
  readonly measure: string;
  readonly over?: string;
  /** The best of this machine's instruction sets, or one of 256 bits without VNNI. */
  readonly target: number | { readonly avx2: number; readonly best: number };
}

interface Target {
  readonly id: number;
  readonly title: string;
  readonly better: 'higher' | 'lower';
  readonly parts: readonly TargetPart[];
}

export interface TargetResult {
  readonly id: number;
  readonly title: string;
  readonly better: 'higher' | 'lower';
  /**
   * Of the part that misses its target most, or of the first if none does; null, with a reason, where a part was not
   * measured.
   */
  readonly measured: number | null;
  readonly target: number;
  readonly met: boolean | null;
  /** Which part that is, where there are several. */
  readonly part?: string;
  readonly parts: readonly { readonly title: string; readonly measured: number | null; readonly target: number }[];
  readonly reason?: string;
}

export const TARGETS: readonly Target[] = [
  {
    id: 1,
    title: 'decode, 1 sequence, local experts, against the best peer',
    better: 'higher',
    parts: [
      { title: '1 sequence', measure: 'local.decode.1', over: 'peer.decode.1', target: { avx2: 1.4, best: 1.5 } },
    ],
  },
  {
    id: 2,
    title: 'decode, 4 and 16 sequences, local experts, against the best peer',
    better: 'higher',
    parts: [
      { title: '4 sequences', measure: 'local.decode.4', over: 'peer.decode.4', target: { avx2: 1.4, best: 1.6 } },
      { title: '16 sequences', measure: 'local.decode.16', over: 'peer.decode.16', target: { avx2: 1.3, best: 2 } },
    ],
  },
  {
    id: 3,
    title: 'prefill of 256 and 1,024 tokens, local experts, against the best peer',
    better: 'higher',
    parts: [
      { title: '256 tokens', measure: 'local.prefill.256', over: 'peer.prefill.256', target: { avx2: 1.4, best: 1.8 } },
      {
        title: '1,024 tokens',
        measure: 'local.prefill.1024',
        over: 'peer.prefill.1024',
        target: { avx2: 1.4, best: 1.8 },
      },
    ],
  },
  {
    id: 4,
    title: 'decode, 1 sequence, 4 workers against 1',
    better: 'higher',
    parts: [{ title: '4 workers', measure: 'four.decode.1', over: 'one.decode.1', target: 0.85 }],
  },
  {
    id: 5,
    title: 'ms of a layer in which neither dense parts nor, on any worker, experts are computed, 4 workers, 1 sequence',
    better: 'lower',
    parts: [{ title: 'all but dense and compute', measure: 'four.layer.1.overhead', target: 0.3 }],
  },
  {
    id: 6,
    title: 'bytes per token per layer against rows x workers x hidden x 2 x 2, fp16 wire, 4 workers',
    better: 'lower',
    parts: [{ title: '1 sequence', measure: 'four.wireBytes', over: 'four.wireBytesIdeal', target: 1.05 }],
  },
  {
    id: 7,
    title: 'decode, 1 sequence, local experts, of what memory reads allow',
    better: 'higher',
    parts: [
      { title: '1 sequence', measure: 'local.decode.1', over: 'limit.decode.1', target: { avx2: 0.8, best: 0.85 } },
    ],
  },
  {
    id: 8,
    title: 'resident memory of a worker against its packed weights',
    better: 'lower',
    parts: [
      { title: '1 worker', measure: 'one.workerMemory', over: 'one.workerPacked', target: 1.15 },
      { title: '4 workers, the largest', measure: 'four.workerMemory', over: 'four.workerPacked', target: 1.15 },
    ],
  },
  {
    id: 9,
    title: 'GB/s of packed weights until ready, weights in the page cache',
    better: 'higher',
    parts: [
      { title: 'first start, every blob hashed', measure: 'one.first.loadRate', target: 1 },
      { title: 'next start', measure: 'one.next.loadRate', target: 1 },
    ],
  },
  {
    id: 10,
    title: 'two micro-batches against one, 16 sequences, 0.5 ms one way',
    better: 'higher',
    parts: [{ title: '0.5 ms', measure: 'delay.0.5.batches.2', over: 'delay.0.5.batches.1', target: 1.3 }],
  },
  {
    id: 11,
    title: 'prompt lookup on a copy-heavy prompt, 0.5 ms one way',
    better: 'higher',
    parts: [
      { title: '0.5 ms', measure: 'delay.0.5.lookup.on', over: 'delay.0.5.lookup.off', target: 1.8 },
      { title: 'answers with identical greedy text', measure: 'delay.0.5.lookup.identical', target: 1 },
    ],
  },
  {
    id: 12,
    title: 'inter-token p99 while a 4,096-token prompt is prefilled, against the quiet p50',
    better: 'lower',
    parts: [{ title: '4,096 tokens', measure: 'one.stall.p99', over: 'one.stall.quiet', target: 4 }],
  },
  {
    id: 13,
    title:
      'decode behind 4,096 and 16,384 tokens of context and prefill of 4,096, local experts, against the best peer',
    better: 'higher',
    parts: [
      { title: 'decode behind 4,096 tokens', measure: 'context.own.4096', over: 'context.peer.4096', target: 1.3 },
      { title: 'decode behind 16,384 tokens', measure: 'context.own.16384', over: 'context.peer.16384', target: 1.3 },
      {
        title: 'prefill of 4,096 tokens',
        measure: 'context.own.prefill.4096',
        over: 'context.peer.prefill.4096',
        target: { avx2: 1.4, best: 1.6 },
      },
    ],
  },
];

/**
 * @param reasons Why a measure is missing, by the beginning of its name.
 * @param isa What the native kernels were computed with.
 */
export function evaluateTargets(samples: Samples, reasons: ReadonlyMap<string, string>, isa: string): TargetResult[] {
  return TARGETS.map((target) => evaluate(target, samples, reasons, isa));
}

function evaluate(
  { id, title, better, parts: allParts }: Target,
  samples: Samples,
  reasons: ReadonlyMap<string, string>,
  isa: string,
): TargetResult {
  const parts = allParts.map((part) => ({ ...part, target: targetOn(isa, part) }));
  const results = parts.map(({ title: part, measure, over, target }) => {
    const summary = over === undefined ? samples.summary(measure) : samples.ratio(measure, over);
    return { title: part, measured: summary?.median ?? null, target };
  });
  const base = { id, title, better, parts: results };
  const measuredParts = results.flatMap(({ title: part, measured, target }) =>
    measured === null
      ? []
      : [{ part, measured, target, reached: better === 'higher' ? measured / target : target / measured }],
  );
  const missed = measuredParts.filter(({ reached }) => reached < 1).sort((a, b) => a.reached - b.reached);
  const shown = missed[0] ?? measuredParts[0];
  if (shown === undefined || measuredParts.length < parts.length) {
    const reason = reasonOf(parts, samples, reasons);
    return { ...base, measured: null, target: parts[0]?.target ?? NaN, met: null, reason };
  }
  const { part, measured, target } = shown;
  return { ...base, ...(parts.length > 1 && { part }), measured, target, met: missed.length === 0 };
}

function reasonOf(parts: readonly TargetPart[], samples: Samples, reasons: ReadonlyMap<string, string>): string {
  const missing = parts.flatMap(({ measure, over }) => [measure, ...(over === undefined ? [] : [over])]);
  const name = missing.find((measure) => samples.values(measure).length === 0) ?? '';
  const known = [...reasons].find(([beginning]) => name.startsWith(beginning));
  return known?.[1] ?? `${name} was not asked for`;
}

const targetOn = (isa: string, { target }: TargetPart): number =>
  typeof target === 'number' ? target : isa === 'avx2' ? target.avx2 : target.best;
