import { SHORT_PAUSE_MS, type SimulatedProcess } from './simulated-process.js';
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

interface Cut {
  /** Until when messages are held up; undefined where they are lost. */
  readonly heldUntilMs: number | undefined;
  /** For longer than anybody waits for it. */
  readonly isTrouble: boolean;
}

/** What lies between processes: it delays, loses, repeats and reorders messages, and can be cut in one direction. */
export class SimulatedNetwork {
  readonly #sim: Simulator;
  /** By way. */
  readonly #cut = new Map<string, Cut>();
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
    const isTrouble = heldUntilMs === undefined || heldUntilMs - this.#sim.nowMs > SHORT_PAUSE_MS;
    this.#cut.set(wayOf(from, to), { heldUntilMs, isTrouble });
    if (isTrouble) for (const end of [from, to]) end.trouble();
    this.#sim.note('net', `nothing gets from ${from.id} to ${to.id}`);
  }

  mend(from: SimulatedProcess, to: SimulatedProcess): void {
    const cut = this.#cut.get(wayOf(from, to));
    if (cut === undefined) return;
    this.#cut.delete(wayOf(from, to));
    if (cut.isTrouble) for (const end of [from, to]) end.trouble();
    this.#sim.note('net', `messages get from ${from.id} to ${to.id} again`);
  }

  heal(): void {
    this.#cut.clear();
    this.calm();
    this.#sim.note('net', 'is healed');
  }

  /** Whether a way from or to this process is cut, for longer than anybody waits for it. */
  isCutOff({ id }: SimulatedProcess): boolean {
    return [...this.#cut].some(
      ([way, { isTrouble }]) => isTrouble && (way.startsWith(`${id}>`) || way.endsWith(`>${id}`)),
    );
  }

  /** @returns undefined for a message that is lost. */
  delayMs(from: SimulatedProcess, to: SimulatedProcess): number | undefined {
    const way = wayOf(from, to);
    const cut = this.#cut.get(way);
    const isLost = cut !== undefined && cut.heldUntilMs === undefined;
    if (isLost || this.#sim.chance(this.#faults.loss)) return undefined;
    const longestMs = this.#sim.chance(this.#faults.delay) ? LONGEST_DELAY_MS : MOST_DELAY_MS;
    const heldMs = Math.max(0, (cut?.heldUntilMs ?? 0) - this.#sim.nowMs);
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
