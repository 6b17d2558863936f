import { type SimulatedProcess } from './simulated-process.js';
import { type Simulator } from './simulator.js';

/** How unkind the network is, as probabilities of a message. */
export interface NetworkFaults {
  readonly loss: number;
  readonly duplication: number;
  /** Of a message that takes far longer than others, so that later ones overtake it. */
  readonly delay: number;
}

const KIND: NetworkFaults = { loss: 0, duplication: 0, delay: 0 };
const [LEAST_DELAY_MS, MOST_DELAY_MS] = [0.1, 3];
const LONGEST_DELAY_MS = 10_000;

/** What lies between processes: it delays, loses, repeats and reorders messages, and can be cut in one direction. */
export class SimulatedNetwork {
  readonly #sim: Simulator;
  /** By way, until when messages are held up; undefined where they are lost. */
  readonly #cut = new Map<string, number | undefined>();
  #faults: NetworkFaults = KIND;
  #troubledMs = 0;

  constructor(sim: Simulator) {
    this.#sim = sim;
  }

  /** When it was last unkind to messages. */
  get troubledMs(): number {
    return this.#faults === KIND ? this.#troubledMs : this.#sim.nowMs;
  }

  setFaults(faults: NetworkFaults): void {
    this.#faults = faults;
    this.#sim.note(
      'net',
      `loses ${percent(faults.loss)}, repeats ${percent(faults.duplication)}, delays ${percent(faults.delay)}`,
    );
  }

  calm(): void {
    this.#troubledMs = this.#sim.nowMs;
    this.#faults = KIND;
  }

  /**
   * In this direction alone.
   *
   * @param heldUntilMs when messages arrive, as TCP sends again what was lost; absent where connections break instead
   */
  cut(from: SimulatedProcess, to: SimulatedProcess, heldUntilMs?: number): void {
    this.#cut.set(wayOf(from, to), heldUntilMs);
    for (const end of [from, to]) end.trouble();
    this.#sim.note('net', `nothing gets from ${from.id} to ${to.id}`);
  }

  mend(from: SimulatedProcess, to: SimulatedProcess): void {
    if (!this.#cut.delete(wayOf(from, to))) return;
    for (const end of [from, to]) end.trouble();
    this.#sim.note('net', `messages get from ${from.id} to ${to.id} again`);
  }

  heal(): void {
    this.#cut.clear();
    this.calm();
    this.#sim.note('net', 'is healed');
  }

  /** Whether a way from or to this process is cut. */
  isCutOff({ id }: SimulatedProcess): boolean {
    return [...this.#cut.keys()].some((way) => way.startsWith(`${id}>`) || way.endsWith(`>${id}`));
  }

  /** @returns undefined for a message that is lost. */
  delayMs(from: SimulatedProcess, to: SimulatedProcess): number | undefined {
    const way = wayOf(from, to);
    const heldUntilMs = this.#cut.get(way);
    const isCut = this.#cut.has(way) && heldUntilMs === undefined;
    if (isCut || this.#sim.chance(this.#faults.loss)) return undefined;
    const longestMs = this.#sim.chance(this.#faults.delay) ? LONGEST_DELAY_MS : MOST_DELAY_MS;
    const heldMs = Math.max(0, (heldUntilMs ?? 0) - this.#sim.nowMs);
    return heldMs + this.#sim.between(LEAST_DELAY_MS, longestMs);
  }

  get isRepeated(): boolean {
    return this.#sim.chance(this.#faults.duplication);
  }

  /** Delivers the message in the run of `to` that there is when it arrives. @returns whether it is on its way. */
  send(from: SimulatedProcess, to: SimulatedProcess, deliver: () => void): boolean {
    const delayMs = this.delayMs(from, to);
    if (delayMs === undefined) return false;
    this.#sim.after(delayMs, () => {
      to.reach(deliver);
    });
    return true;
  }
}

const wayOf = (from: SimulatedProcess, to: SimulatedProcess): string => `${from.id}>${to.id}`;

const percent = (part: number): string => `${(100 * part).toFixed(1)} %`;
