/** Events by worker and kind since the start. */
export class CountsByWorker<Kind extends string> {
  readonly #counts = new Map<string, Map<Kind, number>>();

  add(workerId: string, kind: Kind): void {
    const ofWorker = this.#counts.get(workerId) ?? new Map<Kind, number>();
    ofWorker.set(kind, (ofWorker.get(kind) ?? 0) + 1);
    this.#counts.set(workerId, ofWorker);
  }

  /** It is no member any more. */
  forget(workerId: string): void {
    this.#counts.delete(workerId);
  }

  read(): { readonly workerId: string; readonly kind: Kind; readonly count: number }[] {
    return [...this.#counts].flatMap(([workerId, ofWorker]) =>
      [...ofWorker].map(([kind, count]) => ({ workerId, kind, count })),
    );
  }
}
