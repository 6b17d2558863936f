import { type BlockArchive } from '@expertmesh/coordinator/kv/block-archive';
import { type BlockPool, type DroppedBlock } from '@expertmesh/coordinator/kv/block-pool';
import { type Engine, type EngineOptions } from '@expertmesh/coordinator/engine/engine';
import {
  type EngineStats,
  type SequenceOutput,
  type SequenceRequest,
} from '@expertmesh/coordinator/engine/engine-client';
import { type EngineEvent } from '@expertmesh/coordinator/engine/engine-event';
import { type Chunk, type ChunkResult } from '@expertmesh/coordinator/engine/forward';
import { type TokenSampler } from '@expertmesh/coordinator/engine/token-sampler';
import { seededRandom } from '@expertmesh/shared/random/seeded-random';
import { BLOCK_MODEL_VOCAB, BlockModel, logitsOf, statesAfter } from './block-model.js';
import { type Arrival, type EngineWorkload } from './engine-workload.js';

/** What the simulation gives the engine; the rest is made of the parts under test. */
export interface SimulatedOptions extends Omit<EngineOptions, 'pool' | 'restorer' | 'drafts' | 'createSampler'> {
  readonly numBlocks: number;
  readonly onDrop: (dropped: DroppedBlock) => void;
  readonly memory: BlockModel;
  readonly archive: BlockArchive | undefined;
  readonly hasDrafts: boolean;
}

/** The parts under test. */
export interface EngineParts {
  readonly open: (options: SimulatedOptions) => {
    readonly engine: Pick<Engine, 'submit' | 'cancel' | 'stats' | 'close'>;
    readonly pool: Pick<BlockPool, 'numReferences' | 'numReferenced'>;
  };
  readonly createSampler: (request: SequenceRequest, seed: number) => TokenSampler;
  readonly answerSeed: (requested: number | undefined, random: number, answerIndex: number) => number;
}

/** Steps may be so many times those that all tokens would take one by one. */
const MAX_STEP_FACTOR = 3;
const BLOCK_TOKENS = 32;

/**
 * Runs a workload through the engine on a driven clock and checks everything that must hold.
 *
 * @returns the engine's counters at the end.
 * @throws Error that says what does not hold.
 */
export async function simulate(workload: EngineWorkload, parts: EngineParts): Promise<EngineStats> {
  const run = new SimulatedRun(workload, parts);
  try {
    return await run.toTheEnd();
  } finally {
    await run.close();
  }
}

class SimulatedRun {
  readonly #workload: EngineWorkload;
  readonly #parts: EngineParts;
  readonly #pool: Pick<BlockPool, 'numReferences' | 'numReferenced'>;
  readonly #model: BlockModel;
  readonly #engine: Pick<Engine, 'submit' | 'cancel' | 'stats' | 'close'>;
  readonly #events = new Map<number, EngineEvent[]>();
  readonly #maxSteps: number;
  #arriving: Arrival[];
  #cancelling: Arrival[] = [];
  readonly #cancelled = new Set<number>();
  #nowMs = 0;
  #numSteps = 0;
  #broken: Error | undefined;

  constructor(workload: EngineWorkload, parts: EngineParts) {
    const { numBlocks, arrivals } = workload;
    this.#workload = workload;
    this.#parts = parts;
    this.#arriving = [...arrivals];
    const model = new BlockModel(numBlocks);
    const archive = workload.archiveLoss === undefined ? undefined : new LossyArchive(workload.archiveLoss, model);
    const numTokens = arrivals.reduce((sum, { request }) => sum + tokensAtMost(request), 0);
    this.#maxSteps = MAX_STEP_FACTOR * numTokens + 100;
    this.#model = model;
    const { engine, pool } = parts.open({
      ...workload,
      vocabSize: BLOCK_MODEL_VOCAB,
      memory: model,
      archive,
      onDrop: (dropped) => archive?.keep(dropped),
      hasDrafts: workload.drafts,
      maxStepStretch: 3,
      maxModelLen: numBlocks * BLOCK_TOKENS,
      scorePrompt: (logits, tokenId) => ({ tokenId, logprob: logits[tokenId] ?? NaN, rank: 1, top: [] }),
      forward: { run: (chunks) => this.#pass(chunks) },
      emit: (events) => {
        for (const event of events) this.#eventsOf(event.id).push(event);
      },
      randomSeed: () => 1,
      nowMs: () => this.#nowMs,
    });
    this.#engine = engine;
    this.#pool = pool;
  }

  async toTheEnd(): Promise<EngineStats> {
    for (;;) {
      const numSteps = this.#numSteps;
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#broken !== undefined) throw this.#broken;
      if (this.#numSteps > numSteps) continue;
      const next = Math.min(
        this.#arriving[0]?.atMs ?? Infinity,
        ...this.#cancelling.map(({ cancelAtMs }) => cancelAtMs ?? 0),
      );
      if (next === Infinity) break;
      this.#nowMs = Math.max(this.#nowMs, next);
      this.#deliver();
    }
    for (const arrival of this.#workload.arrivals) this.#check(arrival);
    const stats = this.#engine.stats();
    if (stats.numRunning + stats.numWaiting > 0) throw new Error('the engine stands still with sequences left');
    if (this.#pool.numReferenced > 0) throw new Error(`${String(this.#pool.numReferenced)} blocks have leaked`);
    return stats;
  }

  async close(): Promise<void> {
    await this.#engine.close();
  }

  async #pass(chunks: readonly Chunk[]): Promise<Map<Chunk, ChunkResult>> {
    this.#numSteps += 1;
    try {
      this.#checkStep(chunks);
    } catch (error) {
      this.#broken ??= error as Error;
    }
    const results = new Map(chunks.map((chunk) => [chunk, this.#model.compute(chunk)]));
    this.#nowMs += 1 + 0.05 * chunks.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
    this.#deliver();
    if (this.#broken !== undefined) throw this.#broken;
    return Promise.resolve(results);
  }

  // Also in the middle of a step: that is where clients come and go.
  #deliver(): void {
    const due = this.#arriving.filter(({ atMs }) => atMs <= this.#nowMs);
    this.#arriving = this.#arriving.filter(({ atMs }) => atMs > this.#nowMs);
    for (const arrival of due) {
      this.#engine.submit(arrival.id, arrival.request);
      if (arrival.cancelAtMs !== undefined) this.#cancelling.push(arrival);
    }
    for (const { id, cancelAtMs = Infinity } of this.#cancelling)
      if (cancelAtMs <= this.#nowMs) {
        this.#engine.cancel(id);
        this.#cancelled.add(id);
        this.#eventsOf(id);
      }
    this.#cancelling = this.#cancelling.filter(({ id }) => !this.#cancelled.has(id));
  }

  #checkStep(chunks: readonly Chunk[]): void {
    const { maxNumSeqs, maxBatchTokens } = this.#workload;
    const numRows = chunks.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
    if (chunks.length > maxNumSeqs || numRows > maxBatchTokens)
      throw new Error(`a step has ${String(chunks.length)} sequences and ${String(numRows)} rows`);
    if (this.#numSteps > this.#maxSteps) throw new Error(`not at an end after ${String(this.#maxSteps)} steps`);
    const writers = new Map<number, Chunk>();
    for (const chunk of chunks) for (const blockId of writtenBlocks(chunk)) this.#checkWritten(blockId, chunk, writers);
    for (const chunk of chunks)
      for (const blockId of chunk.cache.blockIds) {
        const writer = writers.get(blockId);
        if (writer !== undefined && writer !== chunk)
          throw new Error(`block ${String(blockId)} is written while it is read`);
      }
  }

  #checkWritten(blockId: number, chunk: Chunk, writers: Map<number, Chunk>): void {
    if (this.#pool.numReferences(blockId) !== 1)
      throw new Error(
        `block ${String(blockId)} is written with ${String(this.#pool.numReferences(blockId))} references`,
      );
    if (writers.has(blockId)) throw new Error(`block ${String(blockId)} has two owners`);
    writers.set(blockId, chunk);
  }

  #eventsOf(id: number): EngineEvent[] {
    const known = this.#events.get(id);
    if (known !== undefined) return known;
    const events: EngineEvent[] = [];
    this.#events.set(id, events);
    return events;
  }

  #check({ id, request }: Arrival): void {
    const events = this.#eventsOf(id);
    const failures = events.filter(({ type }) => type === 'failed');
    const outputs = events.flatMap((event) => (event.type === 'output' ? [event.output] : []));
    const { numAnswers = 1 } = request;
    const numEnds = outputs.filter(({ finishReason }) => finishReason !== undefined).length;
    const say = (what: string): never => {
      throw new Error(`request ${String(id)}: ${what}`);
    };
    if (failures.length > 1 || (failures.length === 1 && events.at(-1)?.type !== 'failed')) say('failed and went on');
    if (failures.length === 0 && !this.#cancelled.has(id) && numEnds !== numAnswers)
      say(`${String(numEnds)} of ${String(numAnswers)} answers have ended`);
    for (let answerIndex = 0; answerIndex < numAnswers; answerIndex++) {
      const own = outputs.filter((output) => (output.answerIndex ?? 0) === answerIndex);
      this.#checkAnswer(request, answerIndex, own, say);
    }
    if (outputs.length > 0 && request.logprobs?.prompt !== undefined) checkScores(request, outputs[0], say);
  }

  #checkAnswer(
    request: SequenceRequest,
    answerIndex: number,
    outputs: readonly SequenceOutput[],
    say: (what: string) => never,
  ): void {
    const end = outputs.findIndex(({ finishReason }) => finishReason !== undefined);
    if (end !== -1 && end !== outputs.length - 1) say(`answer ${String(answerIndex)} went on after its end`);
    const actual = outputs.flatMap(({ tokenIds }) => tokenIds);
    const sampler = this.#parts.createSampler(request, this.#parts.answerSeed(request.sampling.seed, 1, answerIndex));
    const alone = aloneTokens(request, sampler, actual.length);
    if (actual.some((tokenId, index) => tokenId !== alone[index]))
      say(`answer ${String(answerIndex)} is [${actual.join()}], alone it is [${alone.join()}]`);
  }
}

/** Blocks that memory has dropped; some are lost, and some come late. */
class LossyArchive implements BlockArchive {
  readonly #loss: number;
  readonly #model: BlockModel;
  readonly #random = seededRandom(1);
  readonly #blocks = new Map<string, Uint8Array>();

  constructor(loss: number, model: BlockModel) {
    this.#loss = loss;
    this.#model = model;
  }

  keep({ blockId, prefix }: DroppedBlock): void {
    this.#blocks.set(prefix, this.#model.readBlock(blockId));
  }

  has(prefix: string): boolean {
    return this.#blocks.has(prefix);
  }

  async read(prefix: string): Promise<Uint8Array | undefined> {
    for (let turns = Math.floor(8 * this.#random()); turns > 0; turns--) await Promise.resolve();
    if (this.#random() < this.#loss) this.#blocks.delete(prefix);
    return this.#blocks.get(prefix);
  }
}

/** Tokens of an answer that nothing runs beside, at most so many. */
function aloneTokens(request: SequenceRequest, sampler: TokenSampler, most: number): number[] {
  const answer: number[] = [];
  const known = [...request.promptTokenIds];
  let position = 0;
  for (const state of statesAfter(known)) {
    position += 1;
    if (position < request.promptTokenIds.length) continue;
    if (answer.length >= most) break;
    const { tokenId } = sampler.next(logitsOf(state));
    answer.push(tokenId);
    // The iteration goes on with what is appended.
    known.push(tokenId);
  }
  return answer;
}

function checkScores(request: SequenceRequest, first: SequenceOutput | undefined, say: (what: string) => never): void {
  const scores = first?.promptLogprobs;
  if (scores?.length !== request.promptTokenIds.length) return say('the prompt is not scored');
  for (const [position, state] of [...statesAfter(request.promptTokenIds)].entries()) {
    const tokenId = request.promptTokenIds[position + 1];
    if (tokenId === undefined) return;
    if (scores[position + 1]?.logprob !== logitsOf(state)[tokenId])
      say(`token ${String(position + 1)} of the prompt is misjudged`);
  }
}

function* writtenBlocks({ cache, tokenIds }: Chunk): Iterable<number> {
  const first = Math.floor(cache.length / BLOCK_TOKENS);
  const last = Math.floor((cache.length + tokenIds.length - 1) / BLOCK_TOKENS);
  for (let index = first; index <= last; index++) yield cache.blockIds[index] ?? NaN;
}

const tokensAtMost = ({ promptTokenIds, maxTokens, numAnswers = 1 }: SequenceRequest): number =>
  promptTokenIds.length + maxTokens * numAnswers;
