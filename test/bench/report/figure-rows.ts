import { LAYER_STAGES } from '../harness/bench-stats.js';
import { PEERS } from '../peers/installed-peers.js';
import { sequences } from '../phases/rounds.js';

/** A line of the report. Names are those of the samples. */
export interface FigureRow {
  readonly title: string;
  readonly unit: string;
  readonly measure: string;
  readonly peer?: string;
  readonly limit?: string;
  /** Where less is better, the limit is what it cannot fall below. */
  readonly better?: 'lower';
}

export interface FigureSection {
  readonly title: string;
  readonly rows: readonly FigureRow[];
}

const decode = (title: string, subject: string, batchSize: number, limit = 'limit'): FigureRow => ({
  title: `${title}, ${sequences(batchSize)}`,
  unit: 'tok/s',
  measure: `${subject}.decode.${String(batchSize)}`,
  limit: `${limit}.decode.${String(batchSize)}`,
  ...((subject === 'one' || subject === 'local') && { peer: `peer.decode.${String(batchSize)}` }),
});

const prefill = (title: string, subject: string, numTokens: number): FigureRow => ({
  title: `${title}, ${String(numTokens)} tokens`,
  unit: 'tok/s',
  measure: `${subject}.prefill.${String(numTokens)}`,
  peer: `peer.prefill.${String(numTokens)}`,
  limit: 'limit.prefill',
});

const perProcessorSecond = (title: string, measure: string): FigureRow => ({
  title,
  unit: 'tok/s',
  measure: `local.processor.${measure}`,
  peer: `peer.processor.${measure}`,
});

const layer = (subject: string, batchSize: number): FigureRow[] => [
  ...LAYER_STAGES.map((stage) => ({
    title: stage,
    unit: 'ms',
    measure: `${subject}.layer.${String(batchSize)}.${stage}`,
  })),
  {
    title: 'all but dense and compute',
    unit: 'ms',
    measure: `${subject}.layer.${String(batchSize)}.overhead`,
    limit: 'limit.roundTrip',
    better: 'lower',
  },
];

export const LAYER_CONFIGURATIONS: readonly { readonly title: string; readonly name: string }[] = [
  { title: 'local experts, 1 sequence', name: 'local.layer.1' },
  { title: 'local experts, 16 sequences', name: 'local.layer.16' },
  { title: '1 worker, 1 sequence', name: 'one.layer.1' },
  { title: '1 worker, 16 sequences', name: 'one.layer.16' },
  { title: '4 workers, 1 sequence', name: 'four.layer.1' },
  { title: '4 workers, 16 sequences', name: 'four.layer.16' },
  { title: '235B, 1 worker, 1 sequence', name: 'large.layer.1' },
  { title: '235B, 1 worker, 16 sequences', name: 'large.layer.16' },
];

export const FIGURE_SECTIONS: readonly FigureSection[] = [
  {
    title: 'This machine',
    rows: [
      { title: 'busy with something else', unit: 'cores', measure: 'limit.otherCores' },
      { title: 'memory reads, 1 thread', unit: 'GB/s', measure: 'limit.read.1' },
      { title: 'memory reads, all threads', unit: 'GB/s', measure: 'limit.read.all' },
      { title: 'copying a file from the page cache', unit: 'GB/s', measure: 'limit.fileCopy' },
      { title: 'fp32 matrix product', unit: 'GFLOP/s', measure: 'limit.gflops' },
      { title: 'loopback round trip of 4 KiB, p50', unit: 'ms', measure: 'limit.roundTrip' },
    ],
  },
  {
    title: '30B-A3B geometry, 12 layers',
    rows: [
      ...[1, 4, 16].map((batchSize) => decode('local experts: decode', 'local', batchSize)),
      ...[256, 1024].map((numTokens) => prefill('local experts: prefill', 'local', numTokens)),
      ...[1, 4, 16].map((batchSize) => decode('1 worker: decode', 'one', batchSize)),
      ...[256, 1024].map((numTokens) => prefill('1 worker: prefill', 'one', numTokens)),
      { title: 'first token, prompt of 32', unit: 'ms', measure: 'local.firstToken.32', peer: 'peer.firstToken.32' },
      { title: 'inter-token p50, quiet', unit: 'ms', measure: 'one.stall.quiet' },
      { title: 'inter-token p99 during a long prompt', unit: 'ms', measure: 'one.stall.p99' },
      { title: 'ready after, first start', unit: 's', measure: 'one.first.readySeconds' },
      { title: 'ready after, next start', unit: 's', measure: 'one.next.readySeconds' },
      { title: 'packed weights, first start', unit: 'GB/s', measure: 'one.first.loadRate', limit: 'limit.fileCopy' },
      { title: 'packed weights, next start', unit: 'GB/s', measure: 'one.next.loadRate', limit: 'limit.fileCopy' },
      {
        title: 'resident, the worker of 1 (limit: packed)',
        unit: 'GB',
        measure: 'one.workerMemory',
        peer: 'peer.memory',
        limit: 'one.workerPacked',
        better: 'lower',
      },
      { title: 'resident, coordinator', unit: 'GB', measure: 'one.coordinatorMemory' },
    ],
  },
  {
    title: 'The same in tokens per second of processor time, local experts',
    rows: [
      ...[1, 4, 16].map((batchSize) =>
        perProcessorSecond(`decode, ${sequences(batchSize)}`, `decode.${String(batchSize)}`),
      ),
      ...[256, 1024].map((numTokens) =>
        perProcessorSecond(`prefill, ${String(numTokens)} tokens`, `prefill.${String(numTokens)}`),
      ),
    ],
  },
  ...PEERS.map(({ name, title }) => ({
    title,
    rows: [
      ...[1, 4, 16].map((batchSize) => ({
        title: `decode, ${sequences(batchSize)}`,
        unit: 'tok/s',
        measure: `${name}.decode.${String(batchSize)}`,
      })),
      ...[256, 1024].map((numTokens) => ({
        title: `prefill, ${String(numTokens)} tokens`,
        unit: 'tok/s',
        measure: `${name}.prefill.${String(numTokens)}`,
      })),
      { title: 'resident', unit: 'GB', measure: `${name}.memory` },
    ],
  })),
  {
    title: '30B-A3B geometry, 12 layers, behind a long context, local experts, 1 sequence',
    rows: [4096, 16_384].flatMap((numTokens) =>
      (['', '.prefill'] as const).map((measure) => ({
        title: `${measure === '' ? 'decode behind' : 'prefill of'} ${String(numTokens)} tokens`,
        unit: 'tok/s',
        measure: `context.own${measure}.${String(numTokens)}`,
        peer: `context.peer${measure}.${String(numTokens)}`,
      })),
    ),
  },
  {
    title: 'The same over 4 worker processes, fp16 wire',
    rows: [
      decode('decode', 'four', 1),
      decode('decode', 'four', 16),
      {
        title: 'resident, largest worker of 4 (limit: packed)',
        unit: 'GB',
        measure: 'four.workerMemory',
        limit: 'four.workerPacked',
        better: 'lower',
      },
      { title: 'distinct workers of a token', unit: '', measure: 'four.distinctWorkers' },
      {
        title: 'bytes per token per layer (limit: rows alone)',
        unit: 'B',
        measure: 'four.wireBytes',
        limit: 'four.wireBytesIdeal',
        better: 'lower',
      },
    ],
  },
  {
    title: '235B-A22B geometry, 2 layers',
    rows: [decode('decode', 'large', 1, 'limit.large'), decode('decode', 'large', 16, 'limit.large')],
  },
  ...[
    { title: 'A layer, local experts, 1 sequence', rows: layer('local', 1) },
    { title: 'A layer, local experts, 16 sequences', rows: layer('local', 16) },
    { title: 'A layer, 1 worker, 1 sequence', rows: layer('one', 1) },
    { title: 'A layer, 1 worker, 16 sequences', rows: layer('one', 16) },
    { title: 'A layer, 4 workers, 1 sequence', rows: layer('four', 1) },
    { title: 'A layer, 4 workers, 16 sequences', rows: layer('four', 16) },
    { title: 'A layer of 235B geometry, 1 worker, 1 sequence', rows: layer('large', 1) },
    { title: 'A layer of 235B geometry, 1 worker, 16 sequences', rows: layer('large', 16) },
  ],
  {
    title: 'A wire with delay, 16 sequences',
    rows: [0.25, 0.5, 2].flatMap((delayMs) =>
      [1, 2].map((numBatches) => ({
        title: `${String(delayMs)} ms one way, ${String(numBatches)} micro-batch${numBatches === 1 ? '' : 'es'}`,
        unit: 'tok/s',
        measure: `delay.${String(delayMs)}.batches.${String(numBatches)}`,
      })),
    ),
  },
  ...[
    { title: 'A wire with delay, the demo model copying, 1 sequence', tasks: 'lookup' },
    { title: 'A wire with delay, the demo model with nothing to copy, 1 sequence', tasks: 'fresh' },
  ].map(({ title, tasks }) => ({
    title,
    rows: [0.25, 0.5, 2].flatMap((delayMs) =>
      (['off', 'on'] as const).map((lookup) => ({
        title: `${String(delayMs)} ms one way, prompt lookup ${lookup}`,
        unit: 'tok/s',
        measure: `delay.${String(delayMs)}.${tasks}.${lookup}`,
      })),
    ),
  })),
];
