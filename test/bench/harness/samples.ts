import { summarise, type Summary } from './statistics.js';

/** Everything that was measured: values by name and round. */
export class Samples {
  readonly #values = new Map<string, Map<number, number>>();

  add(name: string, round: number, value: number): void {
    const byRound = this.#values.get(name) ?? new Map<number, number>();
    byRound.set(round, value);
    this.#values.set(name, byRound);
  }

  get names(): string[] {
    return [...this.#values.keys()];
  }

  /** @returns undefined for what was not measured. */
  at(name: string, round: number): number | undefined {
    return this.#values.get(name)?.get(round);
  }

  /**
   * Adds, round by round, the best that some of the subjects had of each measure: the most, or the least of what is
   * better small.
   */
  addBest(to: string, subjects: readonly string[], isBetterSmall: (measure: string) => boolean): void {
    const measures = new Set(
      subjects.flatMap((subject) =>
        this.names.filter((name) => name.startsWith(`${subject}.`)).map((name) => name.slice(subject.length)),
      ),
    );
    for (const measure of measures) {
      const best = isBetterSmall(measure) ? Math.min : Math.max;
      for (const subject of subjects)
        for (const [round, value] of this.#values.get(subject + measure) ?? [])
          this.add(to + measure, round, best(value, this.at(to + measure, round) ?? value));
    }
  }

  values(name: string): number[] {
    return [...(this.#values.get(name)?.values() ?? [])];
  }

  summary(name: string): Summary | undefined {
    return summarise(this.values(name));
  }

  /**
   * The ratio of two measures, round by round: what slows the machine down for a while is in both. Undefined unless
   * some round has both.
   */
  ratio(name: string, over: string): Summary | undefined {
    const rounds = [...(this.#values.get(name) ?? [])];
    return summarise(
      rounds.flatMap(([round, value]) => {
        const divisor = this.at(over, round);
        return divisor === undefined ? [] : [value / divisor];
      }),
    );
  }
}
