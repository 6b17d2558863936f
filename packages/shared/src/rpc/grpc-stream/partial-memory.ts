/** Where the bytes that a stream has of unfinished messages are counted. */
export interface PartialMemory {
  /** @throws ExpertmeshError `resource_exhausted` where no more may be held; nothing is taken then. */
  take(sizeBytes: number): void;
  giveBack(sizeBytes: number): void;
}

/** For a stream to a peer that was chosen: its one unfinished message is bounded by itself. */
export const UNCOUNTED: PartialMemory = {
  take: () => undefined,
  giveBack: () => undefined,
};
